//! Nodes, their children and who may touch them.

use super::*;
use zookeeper_client::{Acl, AuthId, Error, Permission};

with_servers! {
    async fn nodes_are_made_read_changed_and_deleted(servers, client) {
        let (stat, _) = client.create("/a", b"one", &OPEN).await.unwrap();
        assert_eq!((stat.version, stat.cversion, stat.aversion, stat.data_length, stat.num_children), (0, 0, 0, 3, 0));
        assert_eq!(stat.czxid, stat.mzxid);
        assert_eq!(client.get_data("/a").await.unwrap(), (b"one".to_vec(), stat));
        assert_eq!(client.check_stat("/a").await.unwrap(), Some(stat));
        assert_eq!(client.check_stat("/b").await.unwrap(), None);
        moved(&servers, &[&client]).await;
        assert_eq!(client.get_data("/a").await.unwrap(), (b"one".to_vec(), stat));
        let set = client.set_data("/a", b"other", Some(0)).await.unwrap();
        assert_eq!((set.version, set.data_length, set.czxid), (1, 5, stat.czxid));
        assert!(set.mzxid > stat.mzxid);
        assert_eq!(client.set_data("/a", b"", Some(0)).await.unwrap_err(), Error::BadVersion);
        assert_eq!(client.delete("/a", Some(0)).await.unwrap_err(), Error::BadVersion);
        moved(&servers, &[&client]).await;
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

with_servers! {
    async fn every_mode_of_create(servers, client) {
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
        moved(&servers, &[&client]).await;
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

        let other = connect(&servers).await;
        other.sync("/").await.unwrap();
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

with_servers! {
    async fn expired_nodes_and_empty_containers_go(first, _unused) {
        let often = [("znode.container.checkIntervalMs", "50"), ("extendedTypesEnabled", "true")];
        let servers = Servers::start(first.size(), first.target(), &often);
        let client = connect(&servers).await;
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

with_servers! {
    async fn children_are_listed_and_counted(servers, client) {
        for path in ["/d", "/d/a", "/d/b", "/d/a/x", "/d/a/x/y"] {
            client.create(path, b"", &OPEN).await.unwrap();
        }
        moved(&servers, &[&client]).await;
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
        moved(&servers, &[&client]).await;
        let mut mine = client.list_ephemerals("/d").await.unwrap();
        mine.sort();
        assert_eq!(mine, ["/d/e1", "/d/e2"]);
        assert_eq!(client.list_ephemerals("/").await.unwrap().len(), 3);
    }
}

with_servers! {
    async fn access_control_lists_hold(servers, client) {
        client.create("/open", b"", &OPEN).await.unwrap();
        assert_eq!(client.get_acl("/open").await.unwrap().0, Acls::anyone_all().to_vec());
        let creator = CreateMode::Persistent.with_acls(Acls::creator_all());
        assert_eq!(client.create("/mine", b"", &creator).await.unwrap_err(), Error::InvalidAcl);
        client.auth("digest", b"me:secret").await.unwrap();
        // The identity goes with the client.
        moved(&servers, &[&client]).await;
        client.create("/mine", b"x", &creator).await.unwrap();
        let (acl, stat) = client.get_acl("/mine").await.unwrap();
        assert_eq!((acl[0].scheme(), acl.len(), stat.aversion), ("digest", 1, 0));
        assert!(acl[0].id().starts_with("me:"));

        let stranger = connect(&servers).await;
        stranger.sync("/").await.unwrap();
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
        stranger.sync("/").await.unwrap();
        assert_eq!(stranger.get_data("/mine").await.unwrap().0, b"x");
        assert_eq!(stranger.get_acl("/mine").await.unwrap().0[0].id(), "me:x");

        let users = client.list_auth_users().await.unwrap();
        let mut users: Vec<(&str, &str)> = users.iter().map(|u| (u.scheme(), u.user())).collect();
        users.sort_unstable();
        assert_eq!(users, [("digest", "me"), ("ip", "127.0.0.1")]);

        let boss = connector(&servers).with_auth("digest", b"super:admin");
        let boss = boss.connect(&servers.place().to_string()).await.unwrap();
        boss.set_data("/mine", b"whatever", None).await.unwrap();
        assert_eq!(client.auth("nothing", b"").await.unwrap_err(), Error::AuthFailed);
    }
}
