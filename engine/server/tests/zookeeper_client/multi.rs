//! Several operations at once.

use super::*;
use zookeeper_client::{CheckWriteError, Error, MultiReadResult, MultiWriteError, MultiWriteResult};

with_servers! {
    async fn multi_writes_all_or_nothing(servers, client) {
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
        moved(&servers, &[&client]).await;
        let created = client.check_stat("/m/a").await.unwrap().unwrap();
        assert_eq!(created.czxid, client.check_stat("/m/t").await.unwrap().unwrap().czxid);

        let mut writer = client.new_multi_writer();
        writer.add_set_data("/m", b"lost", None).unwrap();
        writer.add_create("/m/a", b"", &OPEN).unwrap();
        writer.add_delete("/m/t", None).unwrap();
        let failed = writer.commit().await.unwrap_err();
        assert_eq!(failed, MultiWriteError::OperationFailed { index: 1, source: Error::NodeExists });
        assert_eq!(client.get_data("/m").await.unwrap().0, b"");

        moved(&servers, &[&client]).await;
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

with_servers! {
    async fn multi_reads_answer_each_for_itself(servers, client) {
        client.create("/r", b"data", &OPEN).await.unwrap();
        client.create("/r/x", b"", &OPEN).await.unwrap();
        moved(&servers, &[&client]).await;
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
