//! Bodies of replies.

use super::list::{AclList, ClientInfo, List, StrList};
use super::multi::{self, MultiResult};
use super::opcode::OpCode;
use super::primitive::{ReadError, Reader, Writer};
use crate::stat::Stat;
use std::borrow::Cow;

/// What follows the header of a reply.
#[derive(Clone, PartialEq, Debug)]
pub enum Response<'a> {
    /// delete, ping, closeSession, auth, setWatches, setWatches2, removeWatches, checkWatches.
    Empty,
    /// create: the final path; sync: the request's path, null included.
    Path(Option<Cow<'a, str>>),
    /// create2, createContainer, createTTL.
    Created {
        /// Final path.
        path: Cow<'a, str>,
        /// Stat of the new node.
        stat: Stat,
    },
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData; reconfig, with the text of the new configuration.
    Data {
        /// The node's data.
        data: Option<&'a [u8]>,
        /// Its stat.
        stat: Stat,
    },
    /// getACL.
    Acl {
        /// The node's ACL.
        acl: AclList<'a>,
        /// Its stat.
        stat: Stat,
    },
    /// getChildren: names; getEphemerals: paths.
    Strings(StrList<'a>),
    /// getChildren2.
    Children2 {
        /// Names of the children.
        children: StrList<'a>,
        /// Stat of the node.
        stat: Stat,
    },
    /// multi, multiRead.
    Multi(List<'a, MultiResult<'a>>),
    /// getAllChildrenNumber: all descendants.
    Count(i32),
    /// addWatch: an error code, always 0.
    AddWatch(i32),
    /// whoAmI.
    WhoAmI(List<'a, ClientInfo<'a>>),
    /// sasl.
    Token(Option<&'a [u8]>),
}

impl<'a> Response<'a> {
    /// Reads the body of a reply without error to a request of this opcode.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes are no such body; `BadOp` if no client sends this opcode.
    pub fn decode(op: OpCode, body: &'a [u8]) -> Result<Response<'a>, ReadError> {
        let r = &mut Reader::new(body);
        Ok(match op {
            OpCode::Delete
            | OpCode::Ping
            | OpCode::CloseSession
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::RemoveWatches
            | OpCode::CheckWatches => Response::Empty,
            OpCode::Create | OpCode::Sync => Response::Path(r.string()?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Response::Created { path: r.required_string()?, stat: r.stat()? }
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Response::Stat(r.stat()?),
            OpCode::GetData | OpCode::Reconfig => Response::Data { data: r.buffer()?, stat: r.stat()? },
            OpCode::GetAcl => Response::Acl { acl: List::read_required(r)?, stat: r.stat()? },
            OpCode::GetChildren | OpCode::GetEphemerals => Response::Strings(List::read_required(r)?),
            OpCode::GetChildren2 => Response::Children2 { children: List::read_required(r)?, stat: r.stat()? },
            OpCode::Multi | OpCode::MultiRead => Response::Multi(multi::read(r)?),
            OpCode::GetAllChildrenNumber => Response::Count(r.i32()?),
            OpCode::AddWatch => Response::AddWatch(r.i32()?),
            OpCode::WhoAmI => Response::WhoAmI(List::read_required(r)?),
            OpCode::Sasl => Response::Token(r.buffer()?),
            OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return Err(ReadError::BadOp(op.wire()));
            }
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Response::Empty => {}
            Response::Path(path) => w.nullable_string(path.as_deref()),
            Response::Created { path, stat } => {
                w.string(path);
                w.stat(stat);
            }
            Response::Stat(stat) => w.stat(stat),
            Response::Data { data, stat } => {
                w.buffer(*data);
                w.stat(stat);
            }
            Response::Acl { acl, stat } => {
                acl.write(w);
                w.stat(stat);
            }
            Response::Strings(strings) => strings.write(w),
            Response::Children2 { children, stat } => {
                children.write(w);
                w.stat(stat);
            }
            Response::Multi(results) => multi::write(results, w),
            Response::Count(number) | Response::AddWatch(number) => w.i32(*number),
            Response::WhoAmI(infos) => infos.write(w),
            Response::Token(token) => w.buffer(*token),
        }
    }
}
