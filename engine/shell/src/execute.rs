//! Commands carried out on a session.

use crate::command::{Command, Membership};
use crate::failure::{self, Failure, status};
use crate::output::Output;
use crate::{membership, quotas};
use ringkeeper_client::{Acl, Change, Client, Error, Stat, code, path};

/// Takes what a command tells. It fails if nobody can be told any more.
pub type Tell<'t> = &'t mut dyn FnMut(Output) -> Result<(), Failure>;

/// Carries out a command that needs a session; those that concern the shell itself do nothing here.
///
/// # Errors
/// [`Failure`]
pub fn run(client: &Client, command: &Command, tell: Tell<'_>) -> Result<(), Failure> {
    let explain = |error| failure::of_command(command, error);
    match command {
        Command::AddAuth { scheme, auth } => client.add_auth(scheme, auth.as_bytes()).map_err(explain),
        Command::AddWatch { path, recursive } => client.add_watch(path, *recursive).map_err(explain),
        Command::Config { client: as_connect_string, watch, stat } => {
            let (data, its_stat) = client.config(*watch)?;
            config(data, its_stat, *as_connect_string, *stat, tell)
        }
        Command::Create { path, data, acl, mode } => {
            let open = vec![Acl::open()];
            let path = client.create(path, data.as_deref(), acl.as_ref().unwrap_or(&open), *mode).map_err(explain)?;
            tell(Output::Created { path })
        }
        Command::Delete { path, version } => client.delete(path, *version).map_err(explain),
        Command::DeleteAll { path, batch } => delete_all(client, path, *batch, tell),
        Command::DelQuota { path, limit } => quotas::delete(client, path, *limit, tell),
        Command::Get { path, watch, stat, form } => {
            let (data, its_stat) = client.get_data(path, *watch)?;
            tell(Output::Data { path: path.clone(), data, form: *form, stat: stat.then_some(its_stat) })
        }
        Command::GetAcl { path, stat } => {
            let (acl, its_stat) = client.acl(path)?;
            tell(Output::Acl { path: path.clone(), acl, stat: stat.then_some(its_stat) })
        }
        Command::GetAllChildrenNumber { path } => {
            let count = client.all_children_number(path)?;
            tell(Output::Count { path: path.clone(), count })
        }
        Command::GetEphemerals { path } => tell(Output::Ephemerals { paths: client.ephemerals(path)? }),
        Command::ListQuota { path } => quotas::list(client, path, tell),
        Command::Ls { path, watch, recursive: true, .. } => {
            walk(client, path, *watch, &mut |path| tell(Output::Node { path: path.to_owned() }))
        }
        Command::Ls { path, watch, stat, recursive: false } => {
            let (names, its_stat) = client.children(path, *watch)?;
            tell(Output::Children { path: path.clone(), names, stat: stat.then_some(its_stat) })
        }
        Command::Reconfig { change, version, stat } => reconfigure(client, change, *version, *stat, tell),
        Command::RemoveWatches { path, removal, local } => {
            client.remove_watches(path, *removal, *local).map_err(explain)
        }
        Command::Set { path, data, version, stat } => {
            let its_stat = client.set_data(path, data, *version)?;
            if *stat { tell(Output::Stat { path: path.clone(), stat: its_stat }) } else { Ok(()) }
        }
        Command::SetAcl { path, acl, version, recursive: true, .. } => set_acls(client, path, acl, *version),
        Command::SetAcl { path, acl, version, stat, recursive: false } => {
            let its_stat = client.set_acl(path, acl, *version)?;
            if *stat { tell(Output::Stat { path: path.clone(), stat: its_stat }) } else { Ok(()) }
        }
        Command::SetQuota { path, limit, value } => quotas::set(client, path, *limit, *value, tell),
        Command::Stat { path, watch } => match client.exists(path, *watch)? {
            Some(stat) => tell(Output::Stat { path: path.clone(), stat }),
            None => Err(Error::refused(code::NO_NODE, Some(path)).into()),
        },
        Command::Sync { path } => {
            client.sync(path)?;
            tell(Output::Synced { path: path.clone() })
        }
        Command::WhoAmI => tell(Output::Identities { identities: client.who_am_i()? }),
        Command::Close
        | Command::Connect { .. }
        | Command::Help { .. }
        | Command::History
        | Command::PrintWatches { .. }
        | Command::Quit
        | Command::Redo { .. }
        | Command::Version => Ok(()),
    }
}

fn config(data: Option<Vec<u8>>, stat: Stat, connect: bool, with_stat: bool, tell: Tell<'_>) -> Result<(), Failure> {
    let text = data.map_or_else(|| "null".to_owned(), |data| String::from_utf8_lossy(&data).into_owned());
    let stat = with_stat.then_some(stat);
    if !connect {
        return tell(Output::Config { text, stat, committed: false });
    }
    let (version, servers) = membership::connect_string(&text);
    tell(Output::Connect { version, servers })?;
    // With both flags zkCli.sh prints both.
    stat.map_or(Ok(()), |stat| tell(Output::Stat { path: "/zookeeper/config".to_owned(), stat }))
}

fn delete_all(client: &Client, path: &str, batch: usize, tell: Tell<'_>) -> Result<(), Failure> {
    path::validate(path).map_err(Error::from)?;
    let deletion = client.delete_subtree(path, batch)?;
    match deletion.refused {
        None => tell(Output::Deleted { path: path.to_owned(), nodes: deletion.found }),
        Some(error) => {
            let why = Failure::from(error);
            Err(Failure {
                words: "Failed to delete some node(s) in the subtree!".to_owned(),
                hint: Some(format!(
                    "{}: a node was made or is protected; `ls -R {path}` shows what is left",
                    why.words
                )),
                ..why
            })
        }
    }
}

/// A node and everything below it, in the order of zkCli.sh: the children of a node, then what is below each of them.
fn walk(
    client: &Client,
    root: &str,
    watch: bool,
    visit: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if watch {
        client.get_data(root, true)?;
    } else if client.exists(root, false)?.is_none() {
        return Err(Error::refused(code::NO_NODE, Some(root)).into());
    }
    visit(root)?;
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let names = match client.children(&path, watch) {
            // Gone since it was listed.
            Err(Error::Refused { code: code::NO_NODE, .. }) => continue,
            other => other?.0,
        };
        let children: Vec<String> = names.iter().map(|name| path::child(&path, name)).collect();
        children.iter().try_for_each(|child| visit(child))?;
        left.extend(children.into_iter().rev());
    }
    Ok(())
}

fn set_acls(client: &Client, root: &str, acl: &[Acl], version: i32) -> Result<(), Failure> {
    let (mut first, mut refused) = (None, 0);
    walk(client, root, false, &mut |path| {
        match client.set_acl(path, acl, version) {
            Ok(_) | Err(Error::Refused { code: code::NO_NODE, .. }) => {}
            Err(error @ Error::Refused { .. }) => {
                refused += 1;
                first.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    })?;
    let Some(error) = first else { return Ok(()) };
    let mut failure = Failure::from(error);
    failure.words += &format!(" ({refused} nodes keep their ACL)");
    Err(failure)
}

fn reconfigure(
    client: &Client,
    change: &Membership,
    version: i64,
    with_stat: bool,
    tell: Tell<'_>,
) -> Result<(), Failure> {
    let of_file = match change {
        Membership::File(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                let hint = Some("it needs the server.N= lines of all members, as in zoo.cfg");
                Failure::new(status::USAGE, format!("Error processing {file}: {error}"), hint)
            })?;
            membership::members(&text)
        }
        _ => String::new(),
    };
    let change = match change {
        Membership::Step { joining, leaving } => {
            Change { joining: joining.as_deref(), leaving: leaving.as_deref(), members: None }
        }
        Membership::Members(members) => Change { members: Some(members), ..Change::default() },
        Membership::File(_) => Change { members: Some(&of_file), ..Change::default() },
    };
    let (data, stat) = client.reconfigure(&change, version)?;
    let text = String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
    tell(Output::Config { text, stat: with_stat.then_some(stat), committed: true })
}
