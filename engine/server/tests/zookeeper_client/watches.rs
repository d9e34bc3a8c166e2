//! Watches of every kind.

use super::*;
use zookeeper_client::AddWatchMode;

with_servers! {
    async fn one_shot_watches_fire_once(servers, client) {
        let other = connect(&servers).await;
        let (none, created) = client.check_and_watch_stat("/w").await.unwrap();
        assert_eq!(none, None);
        // One-shot watches are set again at each new server.
        moved(&servers, &[&client, &other]).await;
        let (stat, _) = other.create("/w", b"", &OPEN).await.unwrap();
        let event = created.changed().await;
        assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeCreated, "/w"));
        if servers.target() == Target::Ringkeeper {
            assert_eq!(event.zxid, stat.czxid);
        }

        let (_, _, data) = client.get_and_watch_data("/w").await.unwrap();
        let (_, exists) = client.check_and_watch_stat("/w").await.unwrap();
        moved(&servers, &[&client, &other]).await;
        let set = other.set_data("/w", b"x", None).await.unwrap();
        for watcher in [data, exists] {
            let event = watcher.changed().await;
            assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeDataChanged, "/w"));
            if servers.target() == Target::Ringkeeper {
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
        client.sync("/").await.unwrap();
        let (_, _, data) = client.get_and_watch_data("/w").await.unwrap();
        let (_, children) = client.list_and_watch_children("/w").await.unwrap();
        moved(&servers, &[&client, &other]).await;
        other.delete("/w", None).await.unwrap();
        assert_eq!(data.changed().await.event_type, EventType::NodeDeleted);
        assert_eq!(children.changed().await.event_type, EventType::NodeDeleted);
    }
}

with_servers! {
    async fn persistent_watches_stay(servers, client) {
        let other = connect(&servers).await;
        let mut persistent = client.watch("/p", AddWatchMode::Persistent).await.unwrap();
        let mut recursive = client.watch("/r", AddWatchMode::PersistentRecursive).await.unwrap();
        // Nobody moves here: this crate does not set persistent watches again at a new server (0.11.2). The Java client
        // does, and its test moves them.
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
            let event = node_event(&mut persistent).await;
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
            let event = node_event(&mut recursive).await;
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

with_servers! {
    async fn dropped_watchers_remove_their_watches(servers, client) {
        let other = connect(&servers).await;
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
