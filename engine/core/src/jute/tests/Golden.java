// Writes golden.txt with ZooKeeper's own encoder:
//   java -cp '/usr/share/java/zookeeper.jar:/usr/share/java/*' Golden.java > golden.txt
import java.io.ByteArrayOutputStream;
import java.util.*;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.*;
import org.apache.zookeeper.proto.*;

public class Golden {
    static void print(String name, Record record) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        record.serialize(BinaryOutputArchive.getArchive(bytes), "");
        System.out.println(name + " " + HexFormat.of().formatHex(bytes.toByteArray()));
    }

    public static void main(String[] args) throws Exception {
        List<ACL> acl = new ArrayList<>();
        acl.add(new ACL(31, new Id("world", "anyone")));
        acl.add(new ACL(5, new Id("ip", "10.0.0.0/8")));
        byte[] d = "data".getBytes();
        Stat st = new Stat(0x100000001L, 0x100000002L, 1700000000001L, 1700000000002L,
                3, -4, 5, 0x0123456789abcdefL, 7, 8, -9L);
        List<String> ab = Arrays.asList("/a", "/b/c"), none = new ArrayList<>(),
                d1 = Arrays.asList("/d"), e = Arrays.asList("/e"), f1 = Arrays.asList("/f");
        print("create", new CreateRequest("/n\u00e4me", d, acl, 3));
        print("create_null_data", new CreateRequest("/a", null, null, 0));
        print("create_ttl", new CreateTTLRequest("/t", new byte[0], acl, 5, 0x1234567890L));
        print("delete", new DeleteRequest("/a", -1));
        print("exists", new ExistsRequest("/a", true));
        print("getData", new GetDataRequest("/a", false));
        print("setData", new SetDataRequest("/a", d, 7));
        print("getACL", new GetACLRequest("/a"));
        print("setACL", new SetACLRequest("/a", acl, 2));
        print("getChildren", new GetChildrenRequest("/", true));
        print("getChildren2", new GetChildren2Request("/", false));
        print("sync", new SyncRequest("/a"));
        print("sync_null", new SyncRequest(null));
        print("multi", new MultiOperationRecord(Arrays.asList(Op.create("/c", d, acl, CreateMode.PERSISTENT),
                Op.create("/ct", d, acl, CreateMode.CONTAINER),
                Op.create("/tt", null, acl, CreateMode.PERSISTENT_WITH_TTL, 1000L),
                Op.delete("/x", 4), Op.setData("/y", d, -1), Op.check("/z", 0))));
        print("multiRead", new MultiOperationRecord(Arrays.asList(Op.getData("/a"), Op.getChildren("/"))));
        print("auth", new AuthPacket(0, "digest", "u:p".getBytes()));
        print("setWatches", new SetWatches(0x77L, ab, none, d1));
        print("setWatches2", new SetWatches2(0x77L, ab, none, d1, e, f1));
        print("addWatch", new AddWatchRequest("/a", 1));
        print("removeWatches", new RemoveWatchesRequest("/a", 3));
        print("checkWatches", new CheckWatchesRequest("/a", 2));
        print("getEphemerals", new GetEphemeralsRequest("/p"));
        print("getAllChildrenNumber", new GetAllChildrenNumberRequest("/"));
        print("reconfig", new ReconfigRequest("server.1=a", "2", null, -1L));
        print("sasl", new GetSASLRequest(new byte[]{1, 2}));
        print("connect", new ConnectRequest(0, 0x55L, 30000, 0x1122334455667788L, "0123456789abcdef".getBytes()));
        print("r_connect", new ConnectResponse(0, 30000, 0x1122334455667788L, "0123456789abcdef".getBytes()));
        print("r_header", new ReplyHeader(5, 0x100000002L, -101));
        print("r_event", new WatcherEvent(4, 3, "/a"));
        print("r_create", new CreateResponse("/a0000000001"));
        print("r_create2", new Create2Response("/a", st));
        print("r_exists", new ExistsResponse(st));
        print("r_getData", new GetDataResponse(d, st));
        print("r_getData_null", new GetDataResponse(null, st));
        print("r_setData", new SetDataResponse(st));
        print("r_getACL", new GetACLResponse(acl, st));
        print("r_setACL", new SetACLResponse(st));
        print("r_getChildren", new GetChildrenResponse(ab));
        print("r_getChildren2", new GetChildren2Response(ab, st));
        print("r_sync", new SyncResponse("/a"));
        print("r_getEphemerals", new GetEphemeralsResponse(none));
        print("r_getAllChildrenNumber", new GetAllChildrenNumberResponse(42));
        print("r_addWatch", new ErrorResponse(0));
        print("r_whoAmI", new WhoAmIResponse(Arrays.asList(
                new ClientInfo("ip", "127.0.0.1"), new ClientInfo("digest", "u"))));
        print("r_sasl", new SetSASLResponse(null));
        MultiResponse m = new MultiResponse();
        m.add(new OpResult.CreateResult("/c"));
        m.add(new OpResult.CreateResult("/c2", st));
        m.add(new OpResult.DeleteResult());
        m.add(new OpResult.SetDataResult(st));
        m.add(new OpResult.CheckResult());
        print("r_multi", m);
        MultiResponse f = new MultiResponse();
        f.add(new OpResult.ErrorResult(0));
        f.add(new OpResult.ErrorResult(-101));
        f.add(new OpResult.ErrorResult(-2));
        print("r_multi_failed", f);
        MultiResponse g = new MultiResponse();
        g.add(new OpResult.GetDataResult(d, st));
        g.add(new OpResult.GetChildrenResult(ab));
        g.add(new OpResult.ErrorResult(-101));
        print("r_multiRead", g);
    }
}
