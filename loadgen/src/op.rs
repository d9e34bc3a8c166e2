//! The kinds of operations that are measured, and the names of the error codes that answer them.

use ringkeeper_core::jute::OpCode;

/// A kind of operation, as it is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the operations")]
pub enum OpKind {
    Set,
    Get,
    Create,
    Delete,
    Exists,
    Children,
    /// Several sets in one transaction.
    Multi,
    /// A check that a node exists, and a set of it, in one transaction.
    CheckSet,
    /// Creation of an ephemeral node.
    Ephemeral,
    /// Deletion of an ephemeral node.
    Release,
    /// A get that leaves a watch.
    Watch,
    /// Keeps a session alive.
    Ping,
    /// Brings a server up to date before reads are measured on it. Never measured itself.
    Sync,
}

impl OpKind {
    /// Number of kinds.
    pub const COUNT: usize = 13;

    /// All kinds.
    pub const ALL: [OpKind; OpKind::COUNT] = [
        OpKind::Set,
        OpKind::Get,
        OpKind::Create,
        OpKind::Delete,
        OpKind::Exists,
        OpKind::Children,
        OpKind::Multi,
        OpKind::CheckSet,
        OpKind::Ephemeral,
        OpKind::Release,
        OpKind::Watch,
        OpKind::Ping,
        OpKind::Sync,
    ];

    /// The kinds that a workload may mix.
    pub const MIXED: [OpKind; 10] = [
        OpKind::Set,
        OpKind::Get,
        OpKind::Create,
        OpKind::Delete,
        OpKind::Exists,
        OpKind::Children,
        OpKind::Multi,
        OpKind::CheckSet,
        OpKind::Ephemeral,
        OpKind::Watch,
    ];

    /// As it is written in a mix and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Set => "set",
            OpKind::Get => "get",
            OpKind::Create => "create",
            OpKind::Delete => "delete",
            OpKind::Exists => "exists",
            OpKind::Children => "children",
            OpKind::Multi => "multi",
            OpKind::CheckSet => "check-set",
            OpKind::Ephemeral => "ephemeral",
            OpKind::Release => "release",
            OpKind::Watch => "watch",
            OpKind::Ping => "ping",
            OpKind::Sync => "sync",
        }
    }

    /// The opcode that is sent.
    pub const fn code(self) -> OpCode {
        match self {
            OpKind::Set => OpCode::SetData,
            OpKind::Get => OpCode::GetData,
            OpKind::Create => OpCode::Create,
            OpKind::Delete => OpCode::Delete,
            OpKind::Exists => OpCode::Exists,
            OpKind::Children => OpCode::GetChildren,
            OpKind::Multi | OpKind::CheckSet => OpCode::Multi,
            OpKind::Ephemeral => OpCode::Create,
            OpKind::Release => OpCode::Delete,
            OpKind::Watch => OpCode::GetData,
            OpKind::Ping => OpCode::Ping,
            OpKind::Sync => OpCode::Sync,
        }
    }
}

/// Name of an error code of a reply (`KeeperException.Code`), with the number.
pub fn error_name(code: i32) -> String {
    let name = match code {
        0 => "OK",
        -1 => "SystemError",
        -2 => "RuntimeInconsistency",
        -3 => "DataInconsistency",
        -4 => "ConnectionLoss",
        -5 => "MarshallingError",
        -6 => "Unimplemented",
        -7 => "OperationTimeout",
        -8 => "BadArguments",
        -101 => "NoNode",
        -102 => "NoAuth",
        -103 => "BadVersion",
        -108 => "NoChildrenForEphemerals",
        -110 => "NodeExists",
        -111 => "NotEmpty",
        -112 => "SessionExpired",
        -114 => "InvalidACL",
        -115 => "AuthFailed",
        -118 => "SessionMoved",
        -119 => "NotReadOnly",
        -124 => "SessionClosedRequireSaslAuth",
        -125 => "QuotaExceeded",
        -127 => "ThrottledOp",
        _ => "unknown error",
    };
    format!("{name} ({code})")
}
