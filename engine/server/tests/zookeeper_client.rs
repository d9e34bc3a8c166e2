//! The `zookeeper-client` crate against the server: every operation and every kind of watch that it has.
//!
//! Runs against Debian's ZooKeeper too, with `RINGKEEPER_TARGET=zookeeper`.

mod support;

use std::time::Duration;
use support::server::{Server, Target};
use support::skipped;
use zookeeper_client::{
    Acl, Acls, AddWatchMode, AuthId, CheckWriteError, Client, CreateMode, CreateOptions, EnsembleUpdate, Error,
    EventType, LockOptions, LockPrefix, MultiReadResult, MultiWriteError, MultiWriteResult, Permission, SessionState,
};

const OPEN: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());

/// A server for one test; `None` if it cannot be had here.
fn server(test: &str) -> Option<Server> {
    let target = Target::from_env();
    if let Some(reason) = target.missing() {
        skipped(test, &reason);
        return None;
    }
    let digest = ("DigestAuthenticationProvider.superDigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
    Some(Server::start_with(target, &[digest, ("tickTime", "2000")]))
}

fn connector(server: &Server) -> zookeeper_client::Connector {
    let connector = Client::connector().with_session_timeout(Duration::from_secs(10));
    if server.target() == Target::ZooKeeper { connector.with_server_version(3, 8, 0) } else { connector }
}

async fn connect(server: &Server) -> Client {
    connector(server).connect(&server.addr().to_string()).await.expect("the server accepts")
}

/// A test with a fresh server and a first client.
macro_rules! with_server {
    ($(#[$meta:meta])* async fn $name:ident($server:ident, $client:ident) $body:block) => {
        $(#[$meta])*
        #[tokio::test]
        async fn $name() {
            let Some($server) = server(stringify!($name)) else { return };
            let $client = connect(&$server).await;
            $body
        }
    };
}

with_server! {
    async fn nodes_are_made_read_changed_and_deleted(_server, client) {
        let (stat, _) = client.create("/a", b"one", &OPEN).await.unwrap();
        assert_eq!((stat.version, stat.cversion, stat.aversion, stat.data_length, stat.num_children), (0, 0, 0, 3, 0));
        assert_eq!(stat.czxid, stat.mzxid);
        assert_eq!(client.get_data("/a").await.unwrap(), (b"one".to_vec(), stat));
        assert_eq!(client.check_stat("/a").await.unwrap(), Some(stat));
        assert_eq!(client.check_stat("/b").await.unwrap(), None);
        let set = client.set_data("/a", b"other", Some(0)).await.unwrap();
        assert_eq!((set.version, set.data_length, set.czxid), (1, 5, stat.czxid));
        assert!(set.mzxid > stat.mzxid);
        assert_eq!(client.set_data("/a", b"", Some(0)).await.unwrap_err(), Error::BadVersion);
        assert_eq!(client.delete("/a", Some(0)).await.unwrap_err(), Error::BadVersion);
        client.create("/a/b", b"", &OPEN).await.unwrap();
        assert_eq!(client.delete("/a", None).await.unwrap_err(), Error::NotEmpty);
        client.delete("/a/b", Some(0)).await.unwrap();
        client.delete("/a", Some(1)).await.unwrap();
        assert_eq!(client.get_data("/a").await.unwrap_err(), Error::NoNode);
        assert_eq!(client.set_data("/a", b"", None).await.unwrap_err(), Error::NoNode);
        assert_eq!(client.delete("/a", None).await.unwrap_err(), Error::NoNode);
        assert_eq!(client.create("/a/b", b"", &OPEN).await.unwrap_err(), Error::NoNode);
        client.create("/a", b"", &OPEN).await.unwrap();
        assert_eq!(client.create("/a", b"", &OPEN).await.unwrap_err(), Error::NodeExists);
    }
}

with_server! {
    async fn every_mode_of_create(server, client) {
        client.create("/d", b"", &OPEN).await.unwrap();
        let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
        let (_, number) = client.create("/d/s-", b"", &sequential).await.unwrap();
        assert_eq!(number.into_i64(), 0);
        let ephemeral_sequential = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
        let (stat, number) = client.create("/d/e-", b"", &ephemeral_sequential).await.unwrap();
        assert_eq!((stat.ephemeral_owner, number.to_string().as_str()), (client.session_id().0, "0000000001"));
        let (stat, _) = client.create("/d/e", b"", &EPHEMERAL).await.unwrap();
        assert_eq!(stat.ephemeral_owner, client.session_id().0);
        assert_eq!(client.create("/d/e/x", b"", &OPEN).await.unwrap_err(), Error::NoChildrenForEphemerals);
        let container = CreateMode::Container.with_acls(Acls::anyone_all());
        let (stat, _) = client.create("/d/c", b"", &container).await.unwrap();
        assert_eq!(stat.ephemeral_owner, 0);
        let ttl = OPEN.with_ttl(Duration::from_secs(3600));
        let (stat, _) = client.create("/d/t", b"", &ttl).await.unwrap();
        assert_eq!(stat.ephemeral_owner, 0);
        let (_, number) = client.create("/d/ts-", b"", &sequential.with_ttl(Duration::from_secs(3600))).await.unwrap();
        assert_eq!(number.into_i64(), 5);
        client.mkdir("/x/y/z", &OPEN).await.unwrap();
        assert!(client.check_stat("/x/y/z").await.unwrap().is_some());

        let other = connect(&server).await;
        drop(client);
        // The session ends with its last client; its nodes go with it.
        let (stat, watcher) = other.check_and_watch_stat("/d/e").await.unwrap();
        if stat.is_some() {
            assert_eq!(watcher.changed().await.event_type, EventType::NodeDeleted);
        }
        let mut left = other.list_children("/d").await.unwrap();
        left.sort();
        assert_eq!(left, ["c", "s-0000000000", "t", "ts-0000000005"]);
    }
}

with_server! {
    async fn expired_nodes_and_empty_containers_go(_first, _unused) {
        let target = Target::from_env();
        let often = [("znode.container.checkIntervalMs", "50"), ("extendedTypesEnabled", "true")];
        let server = Server::start_with(target, &often);
        let client = connect(&server).await;
        client.create("/t", b"", &OPEN.with_ttl(Duration::from_millis(20))).await.unwrap();
        let (stat, watcher) = client.check_and_watch_stat("/t").await.unwrap();
        if stat.is_some() {
            assert_eq!(watcher.changed().await.event_type, EventType::NodeDeleted);
        }
        let container = CreateMode::Container.with_acls(Acls::anyone_all());
        client.create("/c", b"", &container).await.unwrap();
        client.create("/c/x", b"", &OPEN).await.unwrap();
        let (_, watcher) = client.check_and_watch_stat("/c").await.unwrap();
        client.delete("/c/x", None).await.unwrap();
        assert_eq!(watcher.changed().await.event_type, EventType::NodeDeleted);
    }
}

with_server! {
    async fn children_are_listed_and_counted(_server, client) {
        for path in ["/d", "/d/a", "/d/b", "/d/a/x", "/d/a/x/y"] {
            client.create(path, b"", &OPEN).await.unwrap();
        }
        let mut names = client.list_children("/d").await.unwrap();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        let (names, stat) = client.get_children("/d").await.unwrap();
        assert_eq!((names.len(), stat.num_children, stat.cversion), (2, 2, 2));
        assert_eq!(client.count_descendants_number("/d").await.unwrap(), 4);
        assert_eq!(client.list_children("/none").await.unwrap_err(), Error::NoNode);
        assert_eq!(client.count_descendants_number("/none").await.unwrap_err(), Error::NoNode);
        for path in ["/d/e1", "/d/e2", "/other"] {
            client.create(path, b"", &EPHEMERAL).await.unwrap();
        }
        let mut mine = client.list_ephemerals("/d").await.unwrap();
        mine.sort();
        assert_eq!(mine, ["/d/e1", "/d/e2"]);
        assert_eq!(client.list_ephemerals("/").await.unwrap().len(), 3);
    }
}

with_server! {
    async fn access_control_lists_hold(server, client) {
        client.create("/open", b"", &OPEN).await.unwrap();
        assert_eq!(client.get_acl("/open").await.unwrap().0, Acls::anyone_all().to_vec());
        let creator = CreateMode::Persistent.with_acls(Acls::creator_all());
        assert_eq!(client.create("/mine", b"", &creator).await.unwrap_err(), Error::InvalidAcl);
        client.auth("digest", b"me:secret").await.unwrap();
        client.create("/mine", b"x", &creator).await.unwrap();
        let (acl, stat) = client.get_acl("/mine").await.unwrap();
        assert_eq!((acl[0].scheme(), acl.len(), stat.aversion), ("digest", 1, 0));
        assert!(acl[0].id().starts_with("me:"));

        let stranger = connect(&server).await;
        assert_eq!(stranger.get_data("/mine").await.unwrap_err(), Error::NoAuth);
        assert_eq!(stranger.list_children("/mine").await.unwrap_err(), Error::NoAuth);
        assert_eq!(stranger.set_data("/mine", b"", None).await.unwrap_err(), Error::NoAuth);
        assert_eq!(stranger.create("/mine/x", b"", &OPEN).await.unwrap_err(), Error::NoAuth);
        assert_eq!(stranger.get_acl("/mine").await.unwrap_err(), Error::NoAuth);
        assert_eq!(stranger.set_acl("/mine", &Acls::anyone_all(), None).await.unwrap_err(), Error::NoAuth);

        let local = Acl::new(Permission::READ, AuthId::new("ip", "127.0.0.1"));
        let list = [acl[0].clone(), local];
        assert_eq!(client.set_acl("/mine", &list, Some(3)).await.unwrap_err(), Error::BadVersion);
        assert_eq!(client.set_acl("/mine", &list, Some(0)).await.unwrap().aversion, 1);
        assert_eq!(stranger.get_data("/mine").await.unwrap().0, b"x");
        assert_eq!(stranger.get_acl("/mine").await.unwrap().0[0].id(), "me:x");

        let users = client.list_auth_users().await.unwrap();
        let mut users: Vec<(&str, &str)> = users.iter().map(|u| (u.scheme(), u.user())).collect();
        users.sort_unstable();
        assert_eq!(users, [("digest", "me"), ("ip", "127.0.0.1")]);

        let boss = connector(&server).with_auth("digest", b"super:admin");
        let boss = boss.connect(&server.addr().to_string()).await.unwrap();
        boss.set_data("/mine", b"whatever", None).await.unwrap();
        assert_eq!(client.auth("nothing", b"").await.unwrap_err(), Error::AuthFailed);
    }
}

with_server! {
    async fn multi_writes_all_or_nothing(_server, client) {
        client.create("/m", b"", &OPEN).await.unwrap();
        let mut writer = client.new_multi_writer();
        writer.add_check_version("/m", 0).unwrap();
        writer.add_create("/m/a", b"data", &OPEN).unwrap();
        writer.add_set_data("/m/a", b"newer", Some(0)).unwrap();
        writer.add_create("/m/s-", b"", &CreateMode::PersistentSequential.with_acls(Acls::anyone_all())).unwrap();
        writer.add_create("/m/c", b"", &CreateMode::Container.with_acls(Acls::anyone_all())).unwrap();
        writer.add_create("/m/t", b"", &OPEN.with_ttl(Duration::from_secs(60))).unwrap();
        writer.add_delete("/m/c", None).unwrap();
        let results = writer.commit().await.unwrap();
        assert_eq!(results.len(), 7);
        assert_eq!(results[0], MultiWriteResult::Check);
        assert!(matches!(&results[1], MultiWriteResult::Create { path, .. } if path == "/m/a"));
        assert!(matches!(&results[2], MultiWriteResult::SetData { stat } if stat.version == 1));
        assert!(matches!(&results[3], MultiWriteResult::Create { path, .. } if path == "/m/s-0000000001"));
        assert_eq!(results[6], MultiWriteResult::Delete);
        let created = client.check_stat("/m/a").await.unwrap().unwrap();
        assert_eq!(created.czxid, client.check_stat("/m/t").await.unwrap().unwrap().czxid);

        let mut writer = client.new_multi_writer();
        writer.add_set_data("/m", b"lost", None).unwrap();
        writer.add_create("/m/a", b"", &OPEN).unwrap();
        writer.add_delete("/m/t", None).unwrap();
        let failed = writer.commit().await.unwrap_err();
        assert_eq!(failed, MultiWriteError::OperationFailed { index: 1, source: Error::NodeExists });
        assert_eq!(client.get_data("/m").await.unwrap().0, b"");

        let mut writer = client.new_check_writer("/m", Some(7)).unwrap();
        writer.add_delete("/m/a", None).unwrap();
        assert_eq!(writer.commit().await.unwrap_err(), CheckWriteError::CheckFailed { source: Error::BadVersion });
        let mut writer = client.new_check_writer("/m", None).unwrap();
        writer.add_delete("/m/a", None).unwrap();
        assert_eq!(writer.commit().await.unwrap(), [MultiWriteResult::Delete]);
        let mut writer = client.new_multi_writer();
        assert!(writer.commit().await.unwrap().is_empty());
    }
}

with_server! {
    async fn multi_reads_answer_each_for_itself(_server, client) {
        client.create("/r", b"data", &OPEN).await.unwrap();
        client.create("/r/x", b"", &OPEN).await.unwrap();
        let mut reader = client.new_multi_reader();
        reader.add_get_data("/r").unwrap();
        reader.add_get_children("/r").unwrap();
        reader.add_get_data("/none").unwrap();
        reader.add_get_data("/r/x").unwrap();
        let results = reader.commit().await.unwrap();
        assert!(matches!(&results[0], MultiReadResult::Data { data, stat } if data == b"data" && stat.num_children == 1));
        assert!(matches!(&results[1], MultiReadResult::Children { children } if *children == ["x"]));
        assert!(matches!(&results[2], MultiReadResult::Error { err: Error::NoNode }));
        assert!(matches!(&results[3], MultiReadResult::Data { data, .. } if data.is_empty()));
    }
}

with_server! {
    async fn one_shot_watches_fire_once(server, client) {
        let other = connect(&server).await;
        let (none, created) = client.check_and_watch_stat("/w").await.unwrap();
        assert_eq!(none, None);
        let (stat, _) = other.create("/w", b"", &OPEN).await.unwrap();
        let event = created.changed().await;
        assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeCreated, "/w"));
        if server.target() == Target::Ringkeeper {
            assert_eq!(event.zxid, stat.czxid);
        }

        let (_, _, data) = client.get_and_watch_data("/w").await.unwrap();
        let (_, exists) = client.check_and_watch_stat("/w").await.unwrap();
        let set = other.set_data("/w", b"x", None).await.unwrap();
        for watcher in [data, exists] {
            let event = watcher.changed().await;
            assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeDataChanged, "/w"));
            if server.target() == Target::Ringkeeper {
                assert_eq!(event.zxid, set.mzxid);
            }
        }

        let (_, children) = client.list_and_watch_children("/w").await.unwrap();
        let (_, _, children2) = client.get_and_watch_children("/w").await.unwrap();
        other.create("/w/x", b"", &OPEN).await.unwrap();
        for watcher in [children, children2] {
            let event = watcher.changed().await;
            assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeChildrenChanged, "/w"));
        }

        other.delete("/w/x", None).await.unwrap();
        let (_, _, data) = client.get_and_watch_data("/w").await.unwrap();
        let (_, children) = client.list_and_watch_children("/w").await.unwrap();
        other.delete("/w", None).await.unwrap();
        assert_eq!(data.changed().await.event_type, EventType::NodeDeleted);
        assert_eq!(children.changed().await.event_type, EventType::NodeDeleted);
    }
}

with_server! {
    async fn persistent_watches_stay(server, client) {
        let other = connect(&server).await;
        let mut persistent = client.watch("/p", AddWatchMode::Persistent).await.unwrap();
        let mut recursive = client.watch("/r", AddWatchMode::PersistentRecursive).await.unwrap();
        for top in ["/p", "/r"] {
            other.create(top, b"", &OPEN).await.unwrap();
            other.set_data(top, b"x", None).await.unwrap();
            other.create(&format!("{top}/x"), b"", &OPEN).await.unwrap();
            other.create(&format!("{top}/x/y"), b"", &OPEN).await.unwrap();
            other.set_data(&format!("{top}/x/y"), b"x", None).await.unwrap();
            other.delete(&format!("{top}/x/y"), None).await.unwrap();
            other.delete(&format!("{top}/x"), None).await.unwrap();
            other.delete(top, None).await.unwrap();
        }
        use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
        for (kind, path) in [
            (NodeCreated, "/p"),
            (NodeDataChanged, "/p"),
            (NodeChildrenChanged, "/p"),
            (NodeChildrenChanged, "/p"),
            (NodeDeleted, "/p"),
        ] {
            let event = persistent.changed().await;
            assert_eq!((event.event_type, event.path.as_str()), (kind, path));
        }
        for (kind, path) in [
            (NodeCreated, "/r"),
            (NodeDataChanged, "/r"),
            (NodeCreated, "/r/x"),
            (NodeCreated, "/r/x/y"),
            (NodeDataChanged, "/r/x/y"),
            (NodeDeleted, "/r/x/y"),
            (NodeDeleted, "/r/x"),
            (NodeDeleted, "/r"),
        ] {
            let event = recursive.changed().await;
            assert_eq!((event.event_type, event.path.as_str()), (kind, path));
        }
        // Dropped watchers take the server's watch with them; a new one starts afresh.
        drop(persistent);
        client.sync("/").await.unwrap();
        let mut again = client.watch("/p", AddWatchMode::Persistent).await.unwrap();
        other.create("/p", b"", &OPEN).await.unwrap();
        assert_eq!(again.changed().await.event_type, NodeCreated);
    }
}

with_server! {
    async fn dropped_watchers_remove_their_watches(server, client) {
        let other = connect(&server).await;
        client.create("/w", b"", &OPEN).await.unwrap();
        let (_, _, first) = client.get_and_watch_data("/w").await.unwrap();
        let (_, second) = client.list_and_watch_children("/w").await.unwrap();
        drop(first);
        #[allow(deprecated, reason = "an operation that the crate has")]
        second.remove().await.unwrap();
        let (_, _, third) = client.get_and_watch_data("/w").await.unwrap();
        other.set_data("/w", b"", None).await.unwrap();
        assert_eq!(third.changed().await.event_type, EventType::NodeDataChanged);
    }
}

with_server! {
    async fn chroot_sync_and_configuration(server, client) {
        client.mkdir("/root/sub", &OPEN).await.unwrap();
        let inside = client.clone().chroot("/root").unwrap();
        assert_eq!(inside.list_children("/").await.unwrap(), ["sub"]);
        let (_, watcher) = inside.list_and_watch_children("/").await.unwrap();
        inside.create("/here", b"", &OPEN).await.unwrap();
        assert_eq!(watcher.changed().await.path, "/");
        inside.sync("/here").await.unwrap();
        assert!(client.check_stat("/root/here").await.unwrap().is_some());

        let (config, stat) = client.get_config().await.unwrap();
        let (same, _, _watcher) = client.get_and_watch_config().await.unwrap();
        assert_eq!((config, stat.ephemeral_owner), (same, 0));
        let (joining, leaving) = (vec!["server.5=127.0.0.1:1:2;3"], vec![]);
        let update = EnsembleUpdate::Incremental { joinings: joining.into_iter(), leavings: leaving.into_iter() };
        let refused = client.update_ensemble(update, None).await.unwrap_err();
        assert!(matches!(refused, Error::ReconfigDisabled | Error::Unimplemented), "{refused:?}");
        drop(server);
    }
}

with_server! {
    async fn locks_exclude(server, client) {
        client.create("/locks", b"", &OPEN).await.unwrap();
        let prefix = || LockPrefix::new_curator("/locks", "latch").unwrap();
        let lock = client.lock(prefix(), b"me", Acls::anyone_all()).await.unwrap();
        let other = connect(&server).await;
        let waiting = other.lock(prefix(), b"you", Acls::anyone_all());
        tokio::pin!(waiting);
        assert!(futures_pending(&mut waiting).await, "the lock is taken");
        assert!(lock.lock_path().starts_with("/locks/_c_"));
        lock.create("/made-under-lock", b"", &OPEN).await.unwrap();
        lock.set_data("/made-under-lock", b"x", None).await.unwrap();
        lock.delete("/made-under-lock", None).await.unwrap();
        drop(lock);
        let second = waiting.await.unwrap();
        assert!(second.lock_path().starts_with("/locks/_c_"));
        let shared = LockPrefix::new_shared("/made/n-").unwrap();
        let options = LockOptions::new(Acls::anyone_all()).with_ancestor_options(OPEN).unwrap();
        let lock = client.lock(shared, b"", options).await.unwrap();
        assert_eq!(lock.lock_path(), "/made/n-0000000000");
    }
}

/// Polls once: whether the future has nothing yet.
async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending()))
        .await
}

with_server! {
    async fn sessions_are_taken_over_and_outlive_the_server(server, client) {
        let mut server = server;
        client.create("/e", b"", &EPHEMERAL).await.unwrap();
        client.create("/s-", b"", &CreateMode::PersistentSequential.with_acls(Acls::anyone_all())).await.unwrap();
        let id = client.session_id();
        let mut states = client.state_watcher();
        let (_, _, watcher) = client.get_and_watch_data("/e").await.unwrap();
        let mut persistent = client.watch("/e", AddWatchMode::Persistent).await.unwrap();
        server.stop();
        while states.changed().await != SessionState::Disconnected {}
        server.restart();
        while states.changed().await != SessionState::SyncConnected {}
        assert_eq!(client.check_stat("/e").await.unwrap().unwrap().ephemeral_owner, id.0);
        let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
        // /zookeeper is not counted; /e and the first of these are.
        assert_eq!(client.create("/s-", b"", &sequential).await.unwrap().1.into_i64(), 2);
        // Watches have been set again.
        client.set_data("/e", b"x", None).await.unwrap();
        assert_eq!(watcher.changed().await.event_type, EventType::NodeDataChanged);
        loop {
            let event = persistent.changed().await;
            if event.event_type != EventType::Session {
                assert_eq!(event.event_type, EventType::NodeDataChanged);
                break;
            }
        }

        // Another client goes on with the session.
        let detached = connector(&server).with_detached().connect(&server.addr().to_string()).await.unwrap();
        detached.create("/kept", b"", &EPHEMERAL).await.unwrap();
        let session = detached.into_session();
        let second = connector(&server).with_session(session.clone()).connect(&server.addr().to_string()).await.unwrap();
        assert_eq!(second.session_id(), session.id());
        assert_eq!(second.check_stat("/kept").await.unwrap().unwrap().ephemeral_owner, session.id().0);
        let mut states = second.state_watcher();
        drop(second);
        while !states.changed().await.is_terminated() {}
        let (stat, gone) = client.check_and_watch_stat("/kept").await.unwrap();
        if stat.is_some() {
            assert_eq!(gone.changed().await.event_type, EventType::NodeDeleted);
        }
        let late = connector(&server).with_session(session).connect(&server.addr().to_string()).await;
        assert_eq!(late.unwrap_err(), Error::SessionExpired);
    }
}
