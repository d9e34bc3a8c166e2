//! What a session can ask.

use crate::client::Client;
use crate::error::{Error, code};
use crate::event::Event;
use crate::path;
use crate::pending::{Registration, Reply};
use crate::watches::{Removal, Watch};
use ringkeeper_core::jute::{AclItem, AclList, Create, OpCode, Reconfig, Request, Response, SetData};
use ringkeeper_core::stat::Stat;
use std::borrow::Cow;
use std::time::Duration;

/// One entry of an ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acl {
    /// Permission bits: read 1, write 2, create 4, delete 8, admin 16.
    pub perms: i32,
    /// Authentication scheme.
    pub scheme: String,
    /// Identity within the scheme.
    pub id: String,
}

impl Acl {
    /// The entry that allows everything to everyone.
    #[must_use]
    pub fn open() -> Acl {
        Acl { perms: 31, scheme: "world".to_owned(), id: "anyone".to_owned() }
    }
}

/// Kind of a node that is to be created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent,
    /// Stays; gets a number.
    PersistentSequential,
    /// Goes with the session.
    Ephemeral,
    /// Goes with the session; gets a number.
    EphemeralSequential,
    /// Goes when its last child has gone.
    Container,
    /// Goes when it has no children and was not changed for this long.
    Ttl(Duration),
    /// The same; gets a number.
    SequentialTtl(Duration),
}

impl CreateMode {
    const fn is_sequential(self) -> bool {
        matches!(
            self,
            CreateMode::PersistentSequential | CreateMode::EphemeralSequential | CreateMode::SequentialTtl(_)
        )
    }

    /// Opcode, flags and lifetime of the request.
    fn wire(self) -> (OpCode, i32, Option<i64>) {
        let millis = |ttl: Duration| Some(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        match self {
            CreateMode::Persistent => (OpCode::Create, 0, None),
            CreateMode::Ephemeral => (OpCode::Create, 1, None),
            CreateMode::PersistentSequential => (OpCode::Create, 2, None),
            CreateMode::EphemeralSequential => (OpCode::Create, 3, None),
            CreateMode::Container => (OpCode::CreateContainer, 4, None),
            CreateMode::Ttl(ttl) => (OpCode::CreateTtl, 5, millis(ttl)),
            CreateMode::SequentialTtl(ttl) => (OpCode::CreateTtl, 6, millis(ttl)),
        }
    }
}

/// Where the ensemble's configuration is, whatever root the client has.
const CONFIG_NODE: &str = "/zookeeper/config";

impl Client {
    /// The server's path of a path of this client.
    pub(crate) fn to_server(&self, path: &str) -> String {
        path::to_server(self.session.options.servers.chroot(), path)
    }

    fn to_client(&self, path: &str) -> String {
        path::to_client(self.session.options.servers.chroot(), path).to_owned()
    }

    /// Creates a node and returns its path.
    ///
    /// # Errors
    /// [`Error`]
    pub fn create(&self, path: &str, data: Option<&[u8]>, acl: &[Acl], mode: CreateMode) -> Result<String, Error> {
        if mode.is_sequential() {
            path::validate_sequential(path)?
        } else {
            path::validate(path)?
        }
        let (op, flags, ttl) = mode.wire();
        let items = items(acl);
        let acl = Some(AclList::new(&items));
        let server_path = Some(Cow::Owned(self.to_server(path)));
        let request = Request::Create(Create { op, path: server_path, data, acl, flags, ttl });
        match self.call(&request, Some(path), None)?.response()? {
            Response::Created { path, .. } | Response::Path(Some(path)) => Ok(self.to_client(&path)),
            _ => Err(Error::Mismatch),
        }
    }

    /// Deletes a node of a version, or of any (-1).
    ///
    /// # Errors
    /// [`Error`]
    pub fn delete(&self, path: &str, version: i32) -> Result<(), Error> {
        path::validate(path)?;
        self.call(&Request::Delete { path: self.to_server(path).into(), version }, Some(path), None).map(drop)
    }

    /// The stat of a node, or `None` if it is not there; may leave a watch in either case.
    ///
    /// # Errors
    /// [`Error`]
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, Error> {
        path::validate(path)?;
        let (server_path, left) = self.watching(path, Watch::Data, watch);
        let left = left.map(|left| Registration { absent: true, ..left });
        match self.call(&Request::Exists { path: server_path.into(), watch }, Some(path), left) {
            Ok(reply) => stat(&reply).map(Some),
            Err(Error::Refused { code: code::NO_NODE, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Data and stat of a node.
    ///
    /// # Errors
    /// [`Error`]
    pub fn get_data(&self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat), Error> {
        path::validate(path)?;
        let (server_path, left) = self.watching(path, Watch::Data, watch);
        data(&self.call(&Request::GetData { path: server_path.into(), watch }, Some(path), left)?)
    }

    /// The ensemble's configuration: text and stat of `/zookeeper/config`.
    ///
    /// # Errors
    /// [`Error`]
    pub fn config(&self, watch: bool) -> Result<(Option<Vec<u8>>, Stat), Error> {
        let left = watch.then(|| Registration { path: CONFIG_NODE.into(), watch: Watch::Data, absent: false });
        data(&self.call(&Request::GetData { path: CONFIG_NODE.into(), watch }, Some(CONFIG_NODE), left)?)
    }

    /// Replaces the data of a node of a version, or of any (-1).
    ///
    /// # Errors
    /// [`Error`]
    pub fn set_data(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, Error> {
        path::validate(path)?;
        let set = SetData { path: self.to_server(path).into(), data: Some(data), version };
        stat(&self.call(&Request::SetData(set), Some(path), None)?)
    }

    /// Names of a node's children, sorted, and its stat.
    ///
    /// # Errors
    /// [`Error`]
    pub fn children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), Error> {
        path::validate(path)?;
        let (server_path, left) = self.watching(path, Watch::Children, watch);
        let reply = self.call(&Request::GetChildren2 { path: server_path.into(), watch }, Some(path), left)?;
        let Response::Children2 { children, stat } = reply.response()? else { return Err(Error::Mismatch) };
        let mut names: Vec<String> = children.iter().map(Cow::into_owned).collect();
        names.sort_unstable();
        Ok((names, stat))
    }

    /// ACL and stat of a node.
    ///
    /// # Errors
    /// [`Error`]
    pub fn acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), Error> {
        path::validate(path)?;
        let reply = self.call(&Request::GetAcl { path: self.to_server(path).into() }, Some(path), None)?;
        let Response::Acl { acl, stat } = reply.response()? else { return Err(Error::Mismatch) };
        let text = |text: Option<Cow<'_, str>>| text.unwrap_or_default().into_owned();
        let acl = acl.iter().map(|item| Acl { perms: item.perms, scheme: text(item.scheme), id: text(item.id) });
        Ok((acl.collect(), stat))
    }

    /// Replaces the ACL of a node of an ACL version, or of any (-1).
    ///
    /// # Errors
    /// [`Error`]
    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, Error> {
        path::validate(path)?;
        let items = items(acl);
        let request = Request::SetAcl { path: self.to_server(path).into(), acl: Some(AclList::new(&items)), version };
        stat(&self.call(&request, Some(path), None)?)
    }

    /// Waits until the server has everything that was acknowledged before, by whatever server.
    ///
    /// # Errors
    /// [`Error`]
    pub fn sync(&self, path: &str) -> Result<(), Error> {
        path::validate(path)?;
        self.call(&Request::Sync { path: Some(self.to_server(path).into()) }, Some(path), None).map(drop)
    }

    /// Number of all nodes below a node.
    ///
    /// # Errors
    /// [`Error`]
    pub fn all_children_number(&self, path: &str) -> Result<i32, Error> {
        path::validate(path)?;
        let request = Request::GetAllChildrenNumber { path: self.to_server(path).into() };
        match self.call(&request, Some(path), None)?.response()? {
            Response::Count(count) => Ok(count),
            _ => Err(Error::Mismatch),
        }
    }

    /// The session's ephemeral nodes whose paths begin with `prefix`.
    ///
    /// # Errors
    /// [`Error`]
    pub fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, Error> {
        path::validate(prefix)?;
        let request = Request::GetEphemerals { prefix: Some(self.to_server(prefix).into()) };
        match self.call(&request, Some(prefix), None)?.response()? {
            Response::Strings(paths) => Ok(paths.iter().map(|path| self.to_client(&path)).collect()),
            _ => Err(Error::Mismatch),
        }
    }

    /// The identities of the connection: scheme and user of each.
    ///
    /// # Errors
    /// [`Error`]
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>, Error> {
        match self.call(&Request::WhoAmI, None, None)?.response()? {
            Response::WhoAmI(infos) => {
                Ok(infos.iter().map(|info| (info.scheme.into_owned(), info.user.into_owned())).collect())
            }
            _ => Err(Error::Mismatch),
        }
    }

    /// Leaves a watch that stays, on a node or on everything below it as well.
    ///
    /// # Errors
    /// [`Error`]
    pub fn add_watch(&self, path: &str, recursive: bool) -> Result<(), Error> {
        path::validate(path)?;
        let watch = if recursive { Watch::PersistentRecursive } else { Watch::Persistent };
        let (server_path, left) = self.watching(path, watch, true);
        let request = Request::AddWatch { path: server_path.into(), mode: i32::from(recursive) };
        self.call(&request, Some(path), left).map(drop)
    }

    /// Removes watches; with `local` also if no server confirms it. The listener hears which kinds are gone.
    ///
    /// # Errors
    /// `NoWatcher` if there is nothing to remove; [`Error`]
    pub fn remove_watches(&self, path: &str, removal: Removal, local: bool) -> Result<(), Error> {
        path::validate(path)?;
        let server_path = self.to_server(path);
        if !self.session.lock().watches.has(removal, &server_path) {
            return Err(Error::refused(code::NO_WATCHER, Some(path)));
        }
        let request = Request::RemoveWatches { path: server_path.as_str().into(), kind: removal as i32 };
        match self.call(&request, Some(path), None) {
            Err(error) if !local => return Err(error),
            _ => {}
        }
        let (kinds, state) = {
            let mut shared = self.session.lock();
            (shared.watches.remove(removal, &server_path), shared.state)
        };
        for kind in kinds {
            self.session.hear(Event { kind, state, path: Some(path.to_owned()) });
        }
        Ok(())
    }

    /// Changes the membership of the ensemble; `version` is the one that the configuration must have, -1 for any. Returns the
    /// new configuration.
    ///
    /// # Errors
    /// [`Error`]
    pub fn reconfigure(&self, change: &Change<'_>, version: i64) -> Result<(Option<Vec<u8>>, Stat), Error> {
        let text = |text: Option<&str>| text.map(|text| Cow::Owned(text.to_owned()));
        let (joining, leaving, new_members) = (text(change.joining), text(change.leaving), text(change.members));
        data(&self.call(
            &Request::Reconfig(Reconfig { joining, leaving, new_members, config_id: version }),
            None,
            None,
        )?)
    }

    /// The server's path, and the watch that is to be noted if the request succeeds.
    fn watching(&self, path: &str, watch: Watch, wanted: bool) -> (String, Option<Registration>) {
        let path = self.to_server(path);
        let left = wanted.then(|| Registration { path: path.clone(), watch, absent: false });
        (path, left)
    }
}

/// A change of an ensemble's membership: servers that join and leave, or all members.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Change<'a> {
    /// Servers to add or change: `server.5=host:port:port;clientport`, separated by commas.
    pub joining: Option<&'a str>,
    /// Numbers of servers to remove, separated by commas.
    pub leaving: Option<&'a str>,
    /// All members, instead of the two above.
    pub members: Option<&'a str>,
}

fn items(acl: &[Acl]) -> Vec<AclItem<'_>> {
    acl.iter().map(|acl| AclItem::new(acl.perms, &acl.scheme, &acl.id)).collect()
}

fn stat(reply: &Reply) -> Result<Stat, Error> {
    match reply.response()? {
        Response::Stat(stat) => Ok(stat),
        _ => Err(Error::Mismatch),
    }
}

fn data(reply: &Reply) -> Result<(Option<Vec<u8>>, Stat), Error> {
    match reply.response()? {
        Response::Data { data, stat } => Ok((data.map(<[u8]>::to_vec), stat)),
        _ => Err(Error::Mismatch),
    }
}
