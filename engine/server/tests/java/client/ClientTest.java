import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/**
 * The Java client against one server or several: all of its API. Prints one line per test, "ok NAME" or "FAILED NAME: WHY",
 * and ends with status 0 only if all passed.
 *
 * Of several servers, the clients of a test are at different ones, and change them where a test says so: {@link #move}.
 */
public final class ClientTest {
    private final String hosts;
    private final List<InetSocketAddress> servers = new ArrayList<>();
    private final Map<ZooKeeper, Heard> connections = new HashMap<>();
    private final Map<ZooKeeper, InTurn> ways = new HashMap<>();

    private ClientTest(String hosts) {
        this.hosts = hosts;
        for (String host : hosts.split(",")) {
            int colon = host.lastIndexOf(':');
            servers.add(new InetSocketAddress(host.substring(0, colon), Integer.parseInt(host.substring(colon + 1))));
        }
    }

    private interface Body {
        void run(ZooKeeper zk, String root) throws Exception;
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void check(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }

    private static void same(Object wanted, Object got) {
        check(wanted == null ? got == null : wanted.equals(got), "wanted " + wanted + ", got " + got);
    }

    private static void fails(Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException e) {
            same(code, e.code());
            return;
        }
        throw new AssertionError("wanted " + code + ", got success");
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] data) {
        return data == null ? null : new String(data, StandardCharsets.UTF_8);
    }

    private ZooKeeper connect() throws Exception {
        return connect(new Heard());
    }

    private ZooKeeper connect(Heard heard) throws Exception {
        InTurn way = elsewhere();
        ZooKeeper zk = new ZooKeeper(hosts, 30_000, heard, false, way);
        heard.state(KeeperState.SyncConnected);
        connections.put(zk, heard);
        ways.put(zk, way);
        return zk;
    }

    private ZooKeeper takeOver(Heard heard, ZooKeeper from, byte[] password) throws Exception {
        return new ZooKeeper(hosts, 30_000, heard, from.getSessionId(), password, false, elsewhere());
    }

    private int clients;

    /** Each client begins at another server than the one before. */
    private InTurn elsewhere() {
        return new InTurn(servers, clients++);
    }

    /** Of several servers, the client goes to the next one, with its session, its identities and its watches. */
    private void move(ZooKeeper zk) throws Exception {
        if (servers.size() > 1) {
            zk.updateServerList(hosts);
            // The client would notice with its next ping. This request, which may get lost, makes it look at once.
            zk.exists("/", false, (rc, path, ctx, stat) -> { }, null);
            connections.get(zk).state(KeeperState.Disconnected);
            connections.get(zk).state(KeeperState.SyncConnected);
        }
    }

    /** From now on the client reads what others have written by now: its server may have been behind. */
    private static void sync(ZooKeeper zk) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        zk.sync("/", (rc, path, ctx) -> done.countDown(), null);
        check(done.await(Heard.PATIENCE_MS, TimeUnit.MILLISECONDS), "sync is answered");
    }

    private static final List<ACL> OPEN = ZooDefs.Ids.OPEN_ACL_UNSAFE;

    // ----- tests

    private void createModes(ZooKeeper zk, String root) throws Exception {
        Stat stat = new Stat();
        same(root + "/p", zk.create(root + "/p", bytes("x"), OPEN, CreateMode.PERSISTENT));
        same(root + "/e", zk.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL, stat));
        same(zk.getSessionId(), stat.getEphemeralOwner());
        same(root + "/s0000000002", zk.create(root + "/s", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL));
        same(root + "/t0000000003", zk.create(root + "/t", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL));
        move(zk);
        same(zk.getSessionId(), zk.exists(root + "/e", false).getEphemeralOwner());
        same(root + "/c", zk.create(root + "/c", null, OPEN, CreateMode.CONTAINER, stat));
        same(0L, stat.getEphemeralOwner());
        zk.create(root + "/c/child", null, OPEN, CreateMode.PERSISTENT);
        same(root + "/l", zk.create(root + "/l", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 3_600_000));
        String path = zk.create(root + "/m", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 3_600_000);
        same(root + "/m0000000006", path);
        same(0L, stat.getEphemeralOwner());
        same(zk.exists(path, false), stat);
        move(zk);
        fails(Code.NOCHILDRENFOREPHEMERALS, () -> zk.create(root + "/e/x", null, OPEN, CreateMode.PERSISTENT));
        fails(Code.NODEEXISTS, () -> zk.create(root + "/p", null, OPEN, CreateMode.PERSISTENT));
        fails(Code.NONODE, () -> zk.create(root + "/no/x", null, OPEN, CreateMode.PERSISTENT));
    }

    private void dataAndVersions(ZooKeeper zk, String root) throws Exception {
        String node = root + "/n";
        zk.create(node, bytes("0"), OPEN, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        same("0", text(zk.getData(node, false, stat)));
        same(0, stat.getVersion());
        same(1, zk.setData(node, bytes("one"), 0).getVersion());
        move(zk);
        same("one", text(zk.getData(node, false, null)));
        fails(Code.BADVERSION, () -> zk.setData(node, bytes("x"), 0));
        same(2, zk.setData(node, null, -1).getVersion());
        same(null, zk.getData(node, false, stat));
        same(0, stat.getDataLength());
        check(stat.getMzxid() > stat.getCzxid() && stat.getMtime() >= stat.getCtime(), "stat " + stat);
        fails(Code.BADVERSION, () -> zk.delete(node, 1));
        zk.delete(node, 2);
        same(null, zk.exists(node, false));
        fails(Code.NONODE, () -> zk.getData(node, false, null));
        fails(Code.NONODE, () -> zk.delete(node, -1));
        byte[] large = new byte[1_000_000];
        Arrays.fill(large, (byte) 7);
        zk.create(node, large, OPEN, CreateMode.PERSISTENT);
        move(zk);
        check(Arrays.equals(large, zk.getData(node, false, null)), "a megabyte comes back");
    }

    private void childrenAndCounts(ZooKeeper zk, String root) throws Exception {
        for (String name : List.of("/d", "/d/a", "/d/b", "/d/a/x")) {
            zk.create(root + name, null, OPEN, CreateMode.PERSISTENT);
        }
        move(zk);
        same(new TreeSet<>(List.of("a", "b")), new TreeSet<>(zk.getChildren(root + "/d", false)));
        Stat stat = new Stat();
        same(2, zk.getChildren(root + "/d", false, stat).size());
        same(2, stat.getNumChildren());
        same(2, stat.getCversion());
        same(3, zk.getAllChildrenNumber(root + "/d"));
        fails(Code.NOTEMPTY, () -> zk.delete(root + "/d", -1));
        for (String name : List.of("/d/e1", "/d/e2", "/f")) {
            zk.create(root + name, null, OPEN, CreateMode.EPHEMERAL);
        }
        move(zk);
        same(new TreeSet<>(List.of(root + "/d/e1", root + "/d/e2")), new TreeSet<>(zk.getEphemerals(root + "/d")));
        same(3, zk.getEphemerals().size());
    }

    private void accessControl(ZooKeeper zk, String root) throws Exception {
        String node = root + "/closed";
        Id owner = new Id("digest", DigestAuthenticationProvider.generateDigest("me:secret"));
        List<ACL> acl = Arrays.asList(new ACL(ZooDefs.Perms.ALL, owner));
        zk.create(node, bytes("x"), acl, CreateMode.PERSISTENT);
        fails(Code.NOAUTH, () -> zk.getData(node, false, null));
        fails(Code.NOAUTH, () -> zk.create(node + "/x", null, OPEN, CreateMode.PERSISTENT));
        fails(Code.NOAUTH, () -> zk.getACL(node, null));
        fails(Code.INVALIDACL, () -> zk.create(root + "/mine", null, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        zk.addAuthInfo("digest", bytes("me:secret"));
        same("x", text(zk.getData(node, false, null)));
        move(zk);
        Stat stat = new Stat();
        same(acl, zk.getACL(node, stat));
        List<ACL> wider = Arrays.asList(acl.get(0), new ACL(ZooDefs.Perms.READ, ZooDefs.Ids.ANYONE_ID_UNSAFE));
        same(1, zk.setACL(node, wider, stat.getAversion()).getAversion());
        fails(Code.BADVERSION, () -> zk.setACL(node, acl, 0));
        zk.create(root + "/mine", null, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        same(acl, zk.getACL(root + "/mine", null));
        ZooKeeper stranger = connect();
        sync(stranger);
        same("x", text(stranger.getData(node, false, null)));
        same("me:x", stranger.getACL(node, null).get(0).getId().getId());
        fails(Code.NOAUTH, () -> stranger.setData(node, null, -1));
        stranger.close();
        List<String> users = new ArrayList<>();
        for (ClientInfo info : zk.whoAmI()) {
            users.add(info.getAuthScheme() + ":" + info.getUser());
        }
        Collections.sort(users);
        same(List.of("digest:me", "ip:127.0.0.1"), users);
        Heard heard = new Heard();
        ZooKeeper refused = connect(heard);
        refused.addAuthInfo("nothing", bytes("x"));
        heard.state(KeeperState.AuthFailed);
        refused.close();
    }

    private void multi(ZooKeeper zk, String root) throws Exception {
        zk.create(root + "/m", null, OPEN, CreateMode.PERSISTENT);
        List<OpResult> results = zk.multi(List.of(
            Op.check(root + "/m", 0),
            Op.create(root + "/m/a", bytes("1"), OPEN, CreateMode.PERSISTENT),
            Op.setData(root + "/m/a", bytes("2"), 0),
            Op.create(root + "/m/s", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.create(root + "/m/c", null, OPEN, CreateMode.CONTAINER),
            Op.create(root + "/m/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 3_600_000),
            Op.delete(root + "/m/c", -1)));
        same(7, results.size());
        same(root + "/m/a", ((OpResult.CreateResult) results.get(1)).getPath());
        same(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        same(root + "/m/s0000000001", ((OpResult.CreateResult) results.get(3)).getPath());
        same(zk.exists(root + "/m/a", false).getCzxid(), zk.exists(root + "/m/t", false).getCzxid());
        try {
            zk.multi(List.of(
                Op.setData(root + "/m", bytes("lost"), -1), Op.check(root + "/m/a", 9), Op.delete(root + "/m/t", -1)));
            throw new AssertionError("a check that fails");
        } catch (KeeperException e) {
            same(Code.BADVERSION, e.code());
            List<Integer> codes = new ArrayList<>();
            for (OpResult result : e.getResults()) {
                codes.add(((OpResult.ErrorResult) result).getErr());
            }
            same(List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()), codes);
        }
        move(zk);
        same(null, zk.getData(root + "/m", false, null));
        zk.transaction().check(root + "/m", 0).delete(root + "/m/t", -1).commit();
        same(null, zk.exists(root + "/m/t", false));
        List<OpResult> read = zk.multi(List.of(
            Op.getData(root + "/m/a"), Op.getChildren(root + "/m/a"), Op.getData(root + "/none")));
        same("2", text(((OpResult.GetDataResult) read.get(0)).getData()));
        same(List.of(), ((OpResult.GetChildrenResult) read.get(1)).getChildren());
        same(Code.NONODE.intValue(), ((OpResult.ErrorResult) read.get(2)).getErr());
    }

    private void watches(ZooKeeper zk, String root) throws Exception {
        Heard heard = new Heard();
        ZooKeeper other = connect();
        String node = root + "/w";
        same(null, zk.exists(node, heard));
        move(zk);
        move(other);
        other.create(node, null, OPEN, CreateMode.PERSISTENT);
        heard.expect(EventType.NodeCreated, node);
        zk.getData(node, heard, null);
        move(zk);
        other.setData(node, bytes("x"), -1);
        heard.expect(EventType.NodeDataChanged, node);
        zk.getChildren(node, heard);
        other.create(node + "/c", null, OPEN, CreateMode.PERSISTENT);
        heard.expect(EventType.NodeChildrenChanged, node);
        other.delete(node + "/c", -1);
        sync(zk);
        zk.getData(node, heard, null);
        zk.getChildren(node, heard);
        move(other);
        other.delete(node, -1);
        heard.expect(EventType.NodeDeleted, node);
        sync(zk);
        check(heard.nothing(), "one shot, one event");
        other.close();
    }

    private void persistentWatches(ZooKeeper zk, String root) throws Exception {
        Heard persistent = new Heard();
        Heard recursive = new Heard();
        String node = root + "/p";
        String deep = root + "/r";
        zk.addWatch(node, persistent, AddWatchMode.PERSISTENT);
        zk.addWatch(deep, recursive, AddWatchMode.PERSISTENT_RECURSIVE);
        ZooKeeper other = connect();
        // What happens while a client is between two servers is lost to persistent watches: this one has arrived.
        move(zk);
        sync(zk);
        for (String top : List.of(node, deep)) {
            other.create(top, null, OPEN, CreateMode.PERSISTENT);
            other.create(top + "/x", null, OPEN, CreateMode.PERSISTENT);
            other.setData(top + "/x", bytes("1"), -1);
            other.setData(top, bytes("1"), -1);
            other.delete(top + "/x", -1);
            other.delete(top, -1);
        }
        persistent.expect(EventType.NodeCreated, node);
        persistent.expect(EventType.NodeChildrenChanged, node);
        persistent.expect(EventType.NodeDataChanged, node);
        persistent.expect(EventType.NodeChildrenChanged, node);
        persistent.expect(EventType.NodeDeleted, node);
        recursive.expect(EventType.NodeCreated, deep);
        recursive.expect(EventType.NodeCreated, deep + "/x");
        recursive.expect(EventType.NodeDataChanged, deep + "/x");
        recursive.expect(EventType.NodeDataChanged, deep);
        recursive.expect(EventType.NodeDeleted, deep + "/x");
        recursive.expect(EventType.NodeDeleted, deep);
        other.close();
    }

    private void removeWatches(ZooKeeper zk, String root) throws Exception {
        String node = root + "/n";
        zk.create(node, null, OPEN, CreateMode.PERSISTENT);
        Heard data = new Heard();
        Heard children = new Heard();
        zk.getData(node, data, null);
        zk.getChildren(node, children);
        move(zk);
        zk.removeWatches(node, data, WatcherType.Data, false);
        data.expect(EventType.DataWatchRemoved, node);
        fails(Code.NOWATCHER, () -> zk.removeWatches(node, data, WatcherType.Data, false));
        zk.removeAllWatches(node, WatcherType.Children, false);
        children.expect(EventType.ChildWatchRemoved, node);
        fails(Code.NOWATCHER, () -> zk.removeAllWatches(node, WatcherType.Any, false));
        Heard persistent = new Heard();
        zk.addWatch(root + "/q", persistent, AddWatchMode.PERSISTENT);
        zk.removeWatches(root + "/q", persistent, WatcherType.Any, false);
        persistent.expect(EventType.PersistentWatchRemoved, root + "/q");
        zk.setData(node, bytes("x"), -1);
        zk.create(node + "/c", null, OPEN, CreateMode.PERSISTENT);
        zk.create(root + "/q", null, OPEN, CreateMode.PERSISTENT);
        zk.exists(root, false);
        check(data.nothing() && children.nothing() && persistent.nothing(), "removed means removed");
    }

    private void asynchronous(ZooKeeper zk, String root) throws Exception {
        int n = 500;
        CountDownLatch done = new CountDownLatch(2 * n + 1);
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        AsyncCallback.StringCallback created = (rc, path, ctx, name) -> {
            if (rc == 0) {
                order.add((Integer) ctx);
            }
            done.countDown();
        };
        AsyncCallback.DataCallback read = (rc, path, ctx, bytes, stat) -> {
            if (rc == 0 && text(bytes).equals(ctx.toString())) {
                order.add((Integer) ctx);
            }
            done.countDown();
        };
        for (int i = 0; i < n; i++) {
            zk.create(root + "/n" + i, bytes("" + i), OPEN, CreateMode.PERSISTENT, created, i);
            zk.getData(root + "/n" + i, false, read, i);
        }
        AsyncCallback.VoidCallback synced = (rc, path, ctx) -> done.countDown();
        zk.sync(root, synced, null);
        check(done.await(Heard.PATIENCE_MS, TimeUnit.MILLISECONDS), "all are answered");
        same(2 * n, order.size());
        for (int i = 0; i < 2 * n; i++) {
            same(i / 2, order.get(i));
        }
    }

    private void configuration(ZooKeeper zk, String root) throws Exception {
        Stat stat = new Stat();
        check(zk.getConfig(false, stat) != null || stat.getDataLength() == 0, "the configuration can be read");
        ZooKeeperAdmin admin = new ZooKeeperAdmin(hosts, 30_000, event -> { });
        try {
            admin.reconfigure("server.5=127.0.0.1:1:2;3", null, null, -1, null);
            throw new AssertionError("reconfiguration is refused");
        } catch (KeeperException e) {
            check(e.code() == Code.RECONFIGDISABLED || e.code() == Code.UNIMPLEMENTED, "got " + e.code());
        }
        admin.close();
    }

    /** By this a server of ZooKeeper's ensemble notices that the session is another connection's, if not before. */
    private static void writeTooLate(ZooKeeper zk, String root) {
        zk.create(root + "/late", null, OPEN, CreateMode.PERSISTENT, (rc, path, ctx, name) -> { }, null);
    }

    private void sessionIsTakenOver(ZooKeeper zk, String root) throws Exception {
        Heard first = new Heard();
        ZooKeeper one = connect(first);
        one.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL);
        // It would take its session back.
        ways.get(one).hold(true);
        Heard second = new Heard();
        ZooKeeper two = takeOver(second, one, one.getSessionPasswd());
        second.state(KeeperState.SyncConnected);
        same(one.getSessionId(), two.getSessionId());
        check(Arrays.equals(one.getSessionPasswd(), two.getSessionPasswd()), "the password stays");
        writeTooLate(one, root);
        first.state(KeeperState.Disconnected);
        two.close();
        ways.get(one).hold(false);
        first.state(KeeperState.Expired);
        sync(zk);
        same(null, zk.exists(root + "/e", false));
        one.close();
        Heard third = new Heard();
        ZooKeeper owner = connect();
        ZooKeeper wrong = takeOver(third, owner, new byte[16]);
        third.state(KeeperState.Expired);
        wrong.close();
        owner.close();
    }

    private void watchesAreSetAgain(ZooKeeper zk, String root) throws Exception {
        Heard connection = new Heard();
        ZooKeeper client = connect(connection);
        Heard heard = new Heard();
        for (String name : List.of("/changed", "/deleted", "/parent", "/quiet")) {
            zk.create(root + name, null, OPEN, CreateMode.PERSISTENT);
        }
        sync(client);
        client.getData(root + "/changed", heard, null);
        client.getData(root + "/deleted", heard, null);
        client.getChildren(root + "/parent", heard);
        client.exists(root + "/created", heard);
        Heard quiet = new Heard();
        client.getData(root + "/quiet", quiet, null);
        Heard persistent = new Heard();
        client.addWatch(root + "/quiet", persistent, AddWatchMode.PERSISTENT_RECURSIVE);
        // Somebody else takes the session's connection, changes what is watched, and lets it go.
        Heard thief = new Heard();
        ZooKeeper other = takeOver(thief, client, client.getSessionPasswd());
        thief.state(KeeperState.SyncConnected);
        zk.setData(root + "/changed", bytes("x"), -1);
        zk.delete(root + "/deleted", -1);
        zk.create(root + "/parent/child", null, OPEN, CreateMode.PERSISTENT);
        zk.create(root + "/created", null, OPEN, CreateMode.PERSISTENT);
        writeTooLate(client, root);
        connection.state(KeeperState.Disconnected);
        connection.state(KeeperState.SyncConnected);
        TreeSet<String> got = new TreeSet<>();
        while (got.size() < 4) {
            WatchedEvent event = heard.ofNode();
            got.add(event.getType() + " " + event.getPath().substring(root.length()));
        }
        same(new TreeSet<>(List.of("NodeDataChanged /changed", "NodeDeleted /deleted", "NodeChildrenChanged /parent",
            "NodeCreated /created")), got);
        // The two clients may go on taking the connection from each other; the watches come along each time.
        zk.setData(root + "/quiet", bytes("x"), -1);
        quiet.expect(EventType.NodeDataChanged, root + "/quiet");
        other.close();
        client.close();
    }

    private void chroot(ZooKeeper zk, String root) throws Exception {
        Heard connection = new Heard();
        ZooKeeper inside = new ZooKeeper(hosts + root, 30_000, connection);
        connection.state(KeeperState.SyncConnected);
        same("/a", inside.create("/a", null, OPEN, CreateMode.PERSISTENT));
        Heard heard = new Heard();
        same(List.of("a"), inside.getChildren("/", heard));
        zk.create(root + "/b", null, OPEN, CreateMode.PERSISTENT);
        heard.expect(EventType.NodeChildrenChanged, "/");
        inside.close();
    }

    private void closing(ZooKeeper zk, String root) throws Exception {
        ZooKeeper other = connect();
        other.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL);
        Heard heard = new Heard();
        sync(zk);
        zk.exists(root + "/e", heard);
        other.close();
        heard.expect(EventType.NodeDeleted, root + "/e");
        fails(Code.SESSIONEXPIRED, () -> other.exists("/", false));
    }

    // ----- running them

    private int failures;
    private int number;

    private void run(String name, Body body) throws Exception {
        ZooKeeper zk = connect();
        String root = "/java-" + number++;
        zk.create(root, null, OPEN, CreateMode.PERSISTENT);
        try {
            body.run(zk, root);
            System.out.println("ok " + name);
        } catch (Exception | AssertionError e) {
            failures++;
            System.out.println("FAILED " + name + ": " + e);
            e.printStackTrace();
        }
        zk.close();
    }

    public static void main(String[] arguments) throws Exception {
        // Debian's client has extended types as an option of its own.
        System.setProperty("zookeeper.extendedTypesEnabled", "true");
        ClientTest test = new ClientTest(arguments[0]);
        test.run("createModes", test::createModes);
        test.run("dataAndVersions", test::dataAndVersions);
        test.run("childrenAndCounts", test::childrenAndCounts);
        test.run("accessControl", test::accessControl);
        test.run("multi", test::multi);
        test.run("watches", test::watches);
        test.run("persistentWatches", test::persistentWatches);
        test.run("removeWatches", test::removeWatches);
        test.run("asynchronous", test::asynchronous);
        test.run("configuration", test::configuration);
        test.run("sessionIsTakenOver", test::sessionIsTakenOver);
        test.run("watchesAreSetAgain", test::watchesAreSetAgain);
        test.run("chroot", test::chroot);
        test.run("closing", test::closing);
        System.out.println(test.number + " tests, " + test.failures + " failed");
        System.exit(test.failures == 0 ? 0 : 1);
    }
}
