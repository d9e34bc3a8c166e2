//! What ZooKeeper answers to a request that cannot be decoded.

use super::opcode::OpCode;
use super::primitive::ReadError;
use super::request::DecodeError;
use crate::error_code::ErrorCode;

/// The answer to a request that cannot be decoded.
///
/// Source: observed on ZooKeeper 3.8; closing on `Unimplemented` also on main.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Error of the reply; `None` if there is no reply.
    pub error: Option<ErrorCode>,
    /// Whether the reply carries the closing header of a multi although it is an error.
    pub multi_end: bool,
    /// Whether the connection is closed then.
    pub close: bool,
}

impl DecodeError {
    /// What to answer to a request of opcode `op` that failed to decode with this error. The reply to an opcode that
    /// is not implemented carries zxid -1.
    #[must_use]
    pub fn refusal(self, op: i32) -> Refusal {
        let op = OpCode::from_wire(op);
        let DecodeError::Malformed(error) = self else {
            return Refusal { error: Some(ErrorCode::Unimplemented), multi_end: false, close: true };
        };
        if matches!(op, Some(OpCode::Auth | OpCode::Sasl)) {
            return Refusal { error: None, multi_end: false, close: true };
        }
        let code = match (op, error) {
            (Some(OpCode::SetData | OpCode::SetAcl), ReadError::Null) => ErrorCode::BadArguments,
            (Some(OpCode::RemoveWatches), ReadError::Null) => ErrorCode::NoWatcher,
            _ => ErrorCode::MarshallingError,
        };
        let multi_end = matches!(
            (op, error),
            (Some(OpCode::Multi), ReadError::Null) | (Some(OpCode::MultiRead), ReadError::Null | ReadError::BadOp(_))
        );
        Refusal { error: Some(code), multi_end, close: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Request;

    fn refusal(op: OpCode, body: &[u8]) -> Refusal {
        Request::decode(op.wire(), body).expect_err("the body is malformed").refusal(op.wire())
    }

    fn stays_open(code: ErrorCode, multi_end: bool) -> Refusal {
        Refusal { error: Some(code), multi_end, close: false }
    }

    #[test]
    fn null_paths() {
        let body = [0xFF; 64];
        assert_eq!(refusal(OpCode::GetData, &body), stays_open(ErrorCode::MarshallingError, false));
        assert_eq!(refusal(OpCode::SetData, &body), stays_open(ErrorCode::BadArguments, false));
        assert_eq!(refusal(OpCode::SetAcl, &body), stays_open(ErrorCode::BadArguments, false));
        assert_eq!(refusal(OpCode::RemoveWatches, &body), stays_open(ErrorCode::NoWatcher, false));
        assert_eq!(refusal(OpCode::CheckWatches, &body), stays_open(ErrorCode::MarshallingError, false));
    }

    #[test]
    fn multis() {
        let delete_of_null = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        let end = [0xFF, 0xFF, 0xFF, 0xFF, 1, 0xFF, 0xFF, 0xFF, 0xFF];
        let whole = [&delete_of_null[..], &end].concat();
        assert_eq!(refusal(OpCode::Multi, &whole), stays_open(ErrorCode::MarshallingError, true));
        assert_eq!(refusal(OpCode::Multi, &delete_of_null), stays_open(ErrorCode::MarshallingError, false));
        assert_eq!(refusal(OpCode::MultiRead, &delete_of_null), stays_open(ErrorCode::MarshallingError, true));
        assert_eq!(refusal(OpCode::Multi, &[0; 9]), stays_open(ErrorCode::MarshallingError, false));
        assert_eq!(refusal(OpCode::MultiRead, &[0; 8]), stays_open(ErrorCode::MarshallingError, false));
    }

    #[test]
    fn closing() {
        let silent = Refusal { error: None, multi_end: false, close: true };
        assert_eq!(refusal(OpCode::Auth, &[0; 7]), silent);
        assert_eq!(refusal(OpCode::Sasl, &[]), silent);
        for op in [0, 10, 13, 20, 23, 99, 108, -1, -2, -10, i32::MAX, i32::MIN] {
            let error = Request::decode(op, &[0; 64]).expect_err("no client may send it");
            assert_eq!(error, DecodeError::Unimplemented(op));
            let expected = Refusal { error: Some(ErrorCode::Unimplemented), multi_end: false, close: true };
            assert_eq!(error.refusal(op), expected);
        }
    }
}
