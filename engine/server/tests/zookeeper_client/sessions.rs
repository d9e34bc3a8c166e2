//! Sessions, and what is built on them.

use super::*;
use zookeeper_client::{AddWatchMode, EnsembleUpdate, Error, LockOptions, LockPrefix};

with_servers! {
    async fn chroot_sync_and_configuration(servers, client) {
        client.mkdir("/root/sub", &OPEN).await.unwrap();
        let inside = client.clone().chroot("/root").unwrap();
        assert_eq!(inside.list_children("/").await.unwrap(), ["sub"]);
        moved(&servers, &[&client]).await;
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
    }
}

with_servers! {
    async fn locks_exclude(servers, client) {
        client.create("/locks", b"", &OPEN).await.unwrap();
        let prefix = || LockPrefix::new_curator("/locks", "latch").unwrap();
        let lock = client.lock(prefix(), b"me", Acls::anyone_all()).await.unwrap();
        let other = connect(&servers).await;
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

with_servers! {
    async fn sessions_are_taken_over_and_outlive_the_server(servers, client) {
        let mut servers = servers;
        client.create("/e", b"", &EPHEMERAL).await.unwrap();
        client.create("/s-", b"", &CreateMode::PersistentSequential.with_acls(Acls::anyone_all())).await.unwrap();
        let id = client.session_id();
        let mut states = client.state_watcher();
        let (_, _, watcher) = client.get_and_watch_data("/e").await.unwrap();
        let mut persistent = client.watch("/e", AddWatchMode::Persistent).await.unwrap();
        let all_are_gone = servers.stop_the_first_clients();
        while states.changed().await != SessionState::Disconnected {}
        if all_are_gone {
            servers.restart();
        }
        while states.changed().await != SessionState::SyncConnected {}
        assert_eq!(client.check_stat("/e").await.unwrap().unwrap().ephemeral_owner, id.0);
        let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
        // /zookeeper is not counted; /e and the first of these are.
        assert_eq!(client.create("/s-", b"", &sequential).await.unwrap().1.into_i64(), 2);
        // Watches have been set again.
        client.set_data("/e", b"x", None).await.unwrap();
        assert_eq!(watcher.changed().await.event_type, EventType::NodeDataChanged);
        assert_eq!(node_event(&mut persistent).await.event_type, EventType::NodeDataChanged);

        // Another client goes on with the session.
        let detached = connector(&servers).with_detached().connect(&servers.place().to_string()).await.unwrap();
        detached.create("/kept", b"", &EPHEMERAL).await.unwrap();
        let session = detached.into_session();
        let second = connector(&servers).with_session(session.clone()).connect(&servers.place().to_string()).await.unwrap();
        assert_eq!(second.session_id(), session.id());
        second.sync("/").await.unwrap();
        assert_eq!(second.check_stat("/kept").await.unwrap().unwrap().ephemeral_owner, session.id().0);
        let mut states = second.state_watcher();
        drop(second);
        while !states.changed().await.is_terminated() {}
        client.sync("/").await.unwrap();
        let (stat, gone) = client.check_and_watch_stat("/kept").await.unwrap();
        if stat.is_some() {
            assert_eq!(gone.changed().await.event_type, EventType::NodeDeleted);
        }
        let late = connector(&servers).with_session(session).connect(&servers.place().to_string()).await;
        assert_eq!(late.unwrap_err(), Error::SessionExpired);
    }
}
