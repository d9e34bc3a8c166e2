//! Requests and replies of several operations: no count, but a header before each, the last of which says "done".
//!
//! ```text
//! multi   := { header{type, done 0, err} body }  header{-1, done 1, -1}
//! header  := int type, bool done, int err        err: -1 in requests, the result's code in replies
//! ```
//!
//! Source: `MultiOperationRecord`, `MultiResponse`.

use super::list::{Item, List, StrList};
use super::opcode::OpCode;
use super::primitive::{ReadError, Reader, Writer};
use super::request::{Create, SetData};
use crate::stat::Stat;
use std::borrow::Cow;

const HEADER_LEN: usize = 9;

/// Reads operations or results up to the header that says "done", whatever its type. That one of them lacks its path is
/// told only if nothing worse is wrong: ZooKeeper notices it when all are decoded.
pub(super) fn read<'a, T: Item<'a>>(r: &mut Reader<'a>) -> Result<List<'a, T>, ReadError> {
    let start = r.rest();
    let (mut count, mut pathless) = (0, false);
    loop {
        let mut ahead = *r;
        if read_header(&mut ahead)?.1 {
            let items = &start[..start.len() - r.rest().len()];
            *r = ahead;
            return if pathless { Err(ReadError::Null) } else { Ok(List::checked(count, items)) };
        }
        match T::skip(r) {
            Err(ReadError::Null) => pathless = true,
            other => other?,
        }
        count += 1;
    }
}

/// Appends operations or results and the closing header.
pub(super) fn write<'a, T: Item<'a>>(items: &List<'a, T>, w: &mut Writer<'_>) {
    items.iter().for_each(|item| item.write(w));
    write_end(w);
}

/// Appends the closing header.
pub(super) fn write_end(w: &mut Writer<'_>) {
    w.i32(-1);
    w.bool(true);
    w.i32(-1);
}

/// The type, and whether the operations are over.
fn read_header(r: &mut Reader<'_>) -> Result<(i32, bool), ReadError> {
    let header = (r.i32()?, r.bool()?);
    r.i32()?; // A request's is ignored, a reply's is in the body as well.
    Ok(header)
}

fn write_header(w: &mut Writer<'_>, op: OpCode, err: i32) {
    w.i32(op.wire());
    w.bool(false);
    w.i32(err);
}

/// One operation of a multi. Others are malformed: ZooKeeper answers -5 to the whole.
#[derive(Clone, PartialEq, Debug)]
pub enum MultiOp<'a> {
    /// Any kind of create. ZooKeeper derives the kind from the flags here, not from the opcode.
    Create(Create<'a>),
    /// Delete a node.
    Delete {
        /// The node.
        path: Cow<'a, str>,
        /// Version that it must have; -1 for any.
        version: i32,
    },
    /// Replace a node's data.
    SetData(SetData<'a>),
    /// Fail unless a node has a version.
    Check {
        /// The node.
        path: Cow<'a, str>,
        /// Version that it must have; -1 for any.
        version: i32,
    },
}

impl MultiOp<'_> {
    /// The opcode in the operation's header.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            MultiOp::Create(create) => create.op,
            MultiOp::Delete { .. } => OpCode::Delete,
            MultiOp::SetData(_) => OpCode::SetData,
            MultiOp::Check { .. } => OpCode::Check,
        }
    }
}

impl<'a> Item<'a> for MultiOp<'a> {
    const MIN_LEN: usize = HEADER_LEN + 8;

    fn read(r: &mut Reader<'a>) -> Result<Self, ReadError> {
        let (op, _) = read_header(r)?;
        Ok(match OpCode::from_wire(op) {
            Some(op @ (OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl)) => {
                let create = Create::read(op, r)?;
                create.path.is_some().then_some(MultiOp::Create(create)).ok_or(ReadError::Null)?
            }
            Some(OpCode::SetData) => MultiOp::SetData(SetData::read(r)?),
            Some(op @ (OpCode::Delete | OpCode::Check)) => {
                let (path, version) = (r.string()?, r.i32()?);
                let path = path.ok_or(ReadError::Null)?;
                if op == OpCode::Delete { MultiOp::Delete { path, version } } else { MultiOp::Check { path, version } }
            }
            _ => return Err(ReadError::BadOp(op)),
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        write_header(w, self.op(), -1);
        match self {
            MultiOp::Create(create) => create.write(w),
            MultiOp::SetData(set) => set.write(w),
            MultiOp::Delete { path, version } | MultiOp::Check { path, version } => {
                w.string(path);
                w.i32(*version);
            }
        }
    }
}

/// One operation of a multiRead. Others are malformed: ZooKeeper answers -5 to the whole. `watch` is on the wire but
/// has no effect.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the requests of the same name")]
pub enum MultiRead<'a> {
    /// Data and stat of a node.
    GetData { path: Cow<'a, str>, watch: bool },
    /// Names of a node's children.
    GetChildren { path: Cow<'a, str>, watch: bool },
}

impl<'a> Item<'a> for MultiRead<'a> {
    const MIN_LEN: usize = HEADER_LEN + 5;

    fn read(r: &mut Reader<'a>) -> Result<Self, ReadError> {
        let (op, _) = read_header(r)?;
        Ok(match OpCode::from_wire(op) {
            Some(op @ (OpCode::GetData | OpCode::GetChildren)) => {
                let (path, watch) = (r.string()?, r.bool()?);
                let path = path.ok_or(ReadError::Null)?;
                if op == OpCode::GetData {
                    MultiRead::GetData { path, watch }
                } else {
                    MultiRead::GetChildren { path, watch }
                }
            }
            _ => return Err(ReadError::BadOp(op)),
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        let (op, path, watch) = match self {
            MultiRead::GetData { path, watch } => (OpCode::GetData, path, watch),
            MultiRead::GetChildren { path, watch } => (OpCode::GetChildren, path, watch),
        };
        write_header(w, op, -1);
        w.string(path);
        w.bool(*watch);
    }
}

/// One result of a multi or multiRead. The reply's header says 0 even if the multi failed: then every result is an
/// [`MultiResult::Error`].
#[derive(Clone, PartialEq, Debug)]
pub enum MultiResult<'a> {
    /// Answer to a create with opcode 1: kazoo and the go client know no other.
    Created {
        /// Final path.
        path: Cow<'a, str>,
    },
    /// Answer to a create with any other opcode.
    Created2 {
        /// Final path.
        path: Cow<'a, str>,
        /// Stat of the new node.
        stat: Stat,
    },
    /// Answer to a delete.
    Deleted,
    /// Answer to a setData.
    SetData(Stat),
    /// Answer to a check.
    Checked,
    /// Answer to a getChildren.
    Children(StrList<'a>),
    /// Answer to a getData.
    Data {
        /// The node's data.
        data: Option<&'a [u8]>,
        /// Its stat.
        stat: Stat,
    },
    /// An error code. In a failed multi 0 before the operation that failed, -2 after it.
    Error(i32),
}

impl<'a> MultiResult<'a> {
    /// The type in the result's header.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            MultiResult::Created { .. } => OpCode::Create,
            MultiResult::Created2 { .. } => OpCode::Create2,
            MultiResult::Deleted => OpCode::Delete,
            MultiResult::SetData(_) => OpCode::SetData,
            MultiResult::Checked => OpCode::Check,
            MultiResult::Children(_) => OpCode::GetChildren,
            MultiResult::Data { .. } => OpCode::GetData,
            MultiResult::Error(_) => OpCode::Error,
        }
    }
}

impl<'a> Item<'a> for MultiResult<'a> {
    const MIN_LEN: usize = HEADER_LEN;

    fn read(r: &mut Reader<'a>) -> Result<Self, ReadError> {
        let (op, _) = read_header(r)?;
        Ok(match OpCode::from_wire(op) {
            Some(OpCode::Create) => MultiResult::Created { path: r.required_string()? },
            Some(OpCode::Create2) => MultiResult::Created2 { path: r.required_string()?, stat: r.stat()? },
            Some(OpCode::Delete) => MultiResult::Deleted,
            Some(OpCode::SetData) => MultiResult::SetData(r.stat()?),
            Some(OpCode::Check) => MultiResult::Checked,
            Some(OpCode::GetChildren) => MultiResult::Children(List::read_required(r)?),
            Some(OpCode::GetData) => MultiResult::Data { data: r.buffer()?, stat: r.stat()? },
            Some(OpCode::Error) => MultiResult::Error(r.i32()?),
            _ => return Err(ReadError::BadOp(op)),
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        write_header(w, self.op(), if let MultiResult::Error(code) = self { *code } else { 0 });
        match self {
            MultiResult::Created { path } => w.string(path),
            MultiResult::Created2 { path, stat } => {
                w.string(path);
                w.stat(stat);
            }
            MultiResult::Deleted | MultiResult::Checked => {}
            MultiResult::SetData(stat) => w.stat(stat),
            MultiResult::Children(children) => children.write(w),
            MultiResult::Data { data, stat } => {
                w.buffer(*data);
                w.stat(stat);
            }
            MultiResult::Error(code) => w.i32(*code),
        }
    }
}
