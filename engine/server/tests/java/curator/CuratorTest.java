import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.utils.ZKPaths;

/**
 * Curator's recipes on several clients at once, while somebody does things to the servers. Says "running" when all have begun, goes
 * on until a line comes on standard input, then prints one line per recipe, "ok NAME: HOW OFTEN" or "FAILED NAME: WHY", and ends with
 * status 0 only if every recipe has kept its promise.
 */
public final class CuratorTest {
    private static final int CLIENTS = 3;
    private static final String NOTHING = "";

    /** One recipe, driven by one thread for each client. */
    private interface Recipe {
        /** Once, before it begins. */
        default void prepare() throws Exception {}

        /** Again and again; whether something was done. */
        boolean step(int client) throws Exception;

        /** When nobody takes a step any more. */
        void verify() throws Exception;
    }

    private final List<CuratorFramework> clients = new ArrayList<>();
    private final Map<String, Recipe> recipes = new TreeMap<>();
    private final Map<String, AtomicInteger> steps = new TreeMap<>();
    private final Map<String, String> failures = new TreeMap<>();
    private volatile boolean finish;

    private CuratorTest(String hosts) throws Exception {
        String namespace = "curator-" + System.nanoTime();
        for (int at = 0; at < CLIENTS; at++) {
            CuratorFramework client =
                    CuratorFrameworkFactory.builder()
                            .connectString(hosts)
                            .namespace(namespace)
                            .sessionTimeoutMs(20_000)
                            .connectionTimeoutMs(5_000)
                            .retryPolicy(new RetryForever(20))
                            .build();
            client.start();
            check(client.blockUntilConnected(30, TimeUnit.SECONDS), "no connection");
            clients.add(client);
        }
        recipes.put("atomic", new Atomic());
        recipes.put("cache", new Cache());
        recipes.put("election", new Election());
        recipes.put("group", new Group());
        recipes.put("mutex", new Mutex());
        recipes.put("queue", new Queue());
        recipes.put("semaphore", new Semaphore());
        recipes.put("transaction", new Transaction());
    }

    private static void check(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }

    private static byte[] bytes(Object value) {
        return String.valueOf(value).getBytes(StandardCharsets.UTF_8);
    }

    private static long number(byte[] data) {
        return Long.parseLong(new String(data, StandardCharsets.UTF_8));
    }

    /** Counted under a lock, by whoever has it. */
    private final class Mutex implements Recipe {
        private final List<InterProcessMutex> locks = new ArrayList<>();
        private final AtomicBoolean held = new AtomicBoolean();
        private final AtomicLong counted = new AtomicLong();

        @Override
        public void prepare() throws Exception {
            clients.get(0).create().creatingParentsIfNeeded().forPath("/mutex/count", bytes(0));
            clients.forEach(client -> locks.add(new InterProcessMutex(client, "/mutex/lock")));
        }

        @Override
        public boolean step(int client) throws Exception {
            locks.get(client).acquire();
            try {
                check(held.compareAndSet(false, true), "two have the lock");
                long before = number(clients.get(client).getData().forPath("/mutex/count"));
                clients.get(client).setData().forPath("/mutex/count", bytes(before + 1));
                counted.incrementAndGet();
                held.set(false);
            } finally {
                locks.get(client).release();
            }
            return true;
        }

        @Override
        public void verify() throws Exception {
            long stored = number(clients.get(0).getData().forPath("/mutex/count"));
            check(stored == counted.get(), "counted " + counted + ", stored " + stored);
        }
    }

    /** Two of three may be in. */
    private final class Semaphore implements Recipe {
        private final List<InterProcessSemaphoreV2> doors = new ArrayList<>();
        private final AtomicInteger inside = new AtomicInteger();

        @Override
        public void prepare() {
            clients.forEach(client -> doors.add(new InterProcessSemaphoreV2(client, "/semaphore", 2)));
        }

        @Override
        public boolean step(int client) throws Exception {
            Lease lease = doors.get(client).acquire(1, TimeUnit.SECONDS);
            if (lease == null) {
                return false;
            }
            try {
                check(inside.incrementAndGet() <= 2, "three are inside");
                // Long enough that a third would come, if it might.
                Thread.sleep(50);
            } finally {
                inside.decrementAndGet();
                doors.get(client).returnLease(lease);
            }
            return true;
        }

        @Override
        public void verify() {}
    }

    /** A number that is changed by whoever has read it last. */
    private final class Atomic implements Recipe {
        private final List<DistributedAtomicLong> numbers = new ArrayList<>();
        private final AtomicLong sure = new AtomicLong();
        private final AtomicLong unknown = new AtomicLong();

        @Override
        public void prepare() throws Exception {
            clients.forEach(client -> numbers.add(new DistributedAtomicLong(client, "/atomic", new RetryForever(5))));
            numbers.get(0).forceSet(0L);
        }

        @Override
        public boolean step(int client) throws Exception {
            AtomicValue<Long> value;
            try {
                value = numbers.get(client).increment();
            } catch (Exception lost) {
                unknown.incrementAndGet();
                return false;
            }
            if (value.succeeded()) {
                check(value.postValue() == value.preValue() + 1, "a step is one");
                sure.incrementAndGet();
            }
            return value.succeeded();
        }

        @Override
        public void verify() throws Exception {
            long stored = numbers.get(0).get().postValue();
            long most = sure.get() + unknown.get();
            // A write whose answer was lost is repeated by Curator, and counted as another's: only more can be there than is known.
            check(stored >= sure.get(), "stored " + stored + ", done " + sure + " to " + most);
        }
    }

    /** Who leads is told only to one. */
    private final class Election implements Recipe {
        private final LeaderLatch[] latches = new LeaderLatch[CLIENTS];

        @Override
        public void prepare() throws Exception {
            for (int at = 0; at < CLIENTS; at++) {
                begin(at);
            }
        }

        private void begin(int at) throws Exception {
            latches[at] = new LeaderLatch(clients.get(at), "/election", "client " + at);
            latches[at].start();
        }

        @Override
        public synchronized boolean step(int client) throws Exception {
            for (LeaderLatch one : latches) {
                for (LeaderLatch other : latches) {
                    // Whoever has just lost it is asked again.
                    boolean both = one != other && one.hasLeadership() && other.hasLeadership() && one.hasLeadership();
                    check(!both, one.getId() + " and " + other.getId() + " lead");
                }
            }
            boolean leads = latches[client].hasLeadership();
            if (leads) {
                // Somebody else's turn.
                latches[client].close();
                begin(client);
            }
            return leads;
        }

        @Override
        public void verify() throws Exception {
            for (int tries = 0; tries < 300; tries++) {
                for (LeaderLatch latch : latches) {
                    if (latch.hasLeadership()) {
                        String named = latch.getLeader().getId();
                        check(latch.getId().equals(named), named + " is named, " + latch.getId() + " leads");
                        return;
                    }
                }
                Thread.sleep(100);
            }
            throw new AssertionError("nobody leads");
        }
    }

    /** What a cache has is what is there. */
    private final class Cache implements Recipe {
        private final List<CuratorCache> caches = new ArrayList<>();
        private final AtomicLong written = new AtomicLong();

        @Override
        public void prepare() throws Exception {
            clients.get(0).create().forPath("/cache", bytes(NOTHING));
            for (CuratorFramework client : clients) {
                CuratorCache cache = CuratorCache.build(client, "/cache");
                cache.start();
                caches.add(cache);
            }
        }

        @Override
        public boolean step(int client) throws Exception {
            long number = written.incrementAndGet();
            String path = "/cache/" + client + "/" + number % 7;
            if (number % 5 == 0) {
                clients.get(client).delete().quietly().forPath(path);
            } else {
                clients.get(client).create().orSetData().creatingParentsIfNeeded().forPath(path, bytes(number));
            }
            return true;
        }

        private Map<String, Long> stored() throws Exception {
            CuratorFramework client = clients.get(0);
            Map<String, Long> found = new TreeMap<>();
            for (String owner : client.getChildren().forPath("/cache")) {
                for (String name : client.getChildren().forPath("/cache/" + owner)) {
                    String path = "/cache/" + owner + "/" + name;
                    found.put(path, number(client.getData().forPath(path)));
                }
            }
            return found;
        }

        private static Map<String, Long> cached(CuratorCache cache) {
            Map<String, Long> found = new TreeMap<>();
            cache.stream()
                    .filter(node -> ZKPaths.split(node.getPath()).size() == 3)
                    .forEach((ChildData node) -> found.put(node.getPath(), number(node.getData())));
            return found;
        }

        @Override
        public void verify() throws Exception {
            clients.get(0).sync().forPath("/cache");
            Map<String, Long> stored = stored();
            check(!stored.isEmpty(), "nothing is stored");
            for (CuratorCache cache : caches) {
                for (int tries = 0; !stored.equals(cached(cache)); tries++) {
                    check(tries < 300, "stored " + stored + ", cached " + cached(cache));
                    Thread.sleep(100);
                }
            }
        }
    }

    /** A member is one as long as it wants to be. */
    private final class Group implements Recipe {
        private final List<GroupMember> members = new ArrayList<>();

        @Override
        public void prepare() {
            for (int at = 0; at < CLIENTS; at++) {
                GroupMember member = new GroupMember(clients.get(at), "/group", "member " + at, bytes(at));
                member.start();
                members.add(member);
            }
        }

        @Override
        public boolean step(int client) throws Exception {
            Thread.sleep(5);
            return members.get(client).getCurrentMembers().containsKey("member " + client);
        }

        @Override
        public void verify() throws Exception {
            for (GroupMember member : members) {
                for (int tries = 0; member.getCurrentMembers().size() != CLIENTS; tries++) {
                    check(tries < 300, "the group is " + member.getCurrentMembers().keySet());
                    Thread.sleep(100);
                }
            }
        }
    }

    /** What is put in comes out, and nothing else. */
    private final class Queue implements Recipe {
        private final List<SimpleDistributedQueue> queues = new ArrayList<>();
        private final AtomicLong put = new AtomicLong();
        private final AtomicLong taken = new AtomicLong();

        @Override
        public void prepare() {
            clients.forEach(client -> queues.add(new SimpleDistributedQueue(client, "/queue")));
        }

        @Override
        public boolean step(int client) throws Exception {
            if (client == 0) {
                queues.get(0).offer(bytes(put.incrementAndGet()));
                return true;
            }
            byte[] item = queues.get(client).poll(50, TimeUnit.MILLISECONDS);
            if (item != null) {
                taken.incrementAndGet();
            }
            return item != null;
        }

        @Override
        public void verify() throws Exception {
            long left = clients.get(0).getChildren().forPath("/queue").size();
            String counts = "put " + put + ", taken " + taken + ", left " + left;
            check(taken.get() > 0, counts);
            // A request whose answer is lost is repeated: an item may be there twice, or be taken and handed to nobody.
            check(Math.abs(put.get() - taken.get() - left) <= 3 * CLIENTS, counts);
        }
    }

    /** Two nodes that are always changed together. */
    private final class Transaction implements Recipe {
        @Override
        public void prepare() throws Exception {
            clients.get(0).create().creatingParentsIfNeeded().forPath("/transaction/a", bytes(0));
            clients.get(0).create().forPath("/transaction/b", bytes(0));
        }

        @Override
        public synchronized boolean step(int client) throws Exception {
            CuratorFramework own = clients.get(client);
            long next = number(own.getData().forPath("/transaction/a")) + 1;
            own.transaction().forOperations(
                    own.transactionOp().setData().forPath("/transaction/a", bytes(next)),
                    own.transactionOp().setData().forPath("/transaction/b", bytes(next)));
            return true;
        }

        @Override
        public void verify() throws Exception {
            clients.get(1).sync().forPath("/transaction");
            long a = number(clients.get(1).getData().forPath("/transaction/a"));
            long b = number(clients.get(1).getData().forPath("/transaction/b"));
            check(a == b && a > 0, "a is " + a + ", b is " + b);
        }
    }

    private void drive(String name, Recipe recipe, int client) {
        while (!finish) {
            try {
                if (recipe.step(client)) {
                    steps.get(name).incrementAndGet();
                }
            } catch (Throwable failure) {
                synchronized (failures) {
                    failures.putIfAbsent(name, "client " + client + ": " + failure);
                }
                return;
            }
        }
    }

    private boolean run() throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (Map.Entry<String, Recipe> each : recipes.entrySet()) {
            steps.put(each.getKey(), new AtomicInteger());
            each.getValue().prepare();
        }
        for (Map.Entry<String, Recipe> each : recipes.entrySet()) {
            for (int at = 0; at < CLIENTS; at++) {
                int client = at;
                Thread thread = new Thread(() -> drive(each.getKey(), each.getValue(), client), each.getKey() + " " + at);
                thread.setDaemon(true);
                thread.start();
                threads.add(thread);
            }
        }
        BufferedReader words = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("running");
        words.readLine();
        finish = true;
        for (Thread thread : threads) {
            thread.join(60_000);
            if (thread.isAlive()) {
                String recipe = thread.getName().split(" ")[0];
                failures.putIfAbsent(recipe, "client " + thread.getName() + " does not end");
            }
        }
        for (Map.Entry<String, Recipe> each : recipes.entrySet()) {
            try {
                each.getValue().verify();
                check(steps.get(each.getKey()).get() > 0, "nothing was done");
            } catch (Throwable failure) {
                failures.putIfAbsent(each.getKey(), failure.toString());
            }
        }
        for (String name : recipes.keySet()) {
            System.out.println(failures.containsKey(name) ? "FAILED " + name + ": " + failures.get(name) : "ok " + name + ": " + steps.get(name));
        }
        return failures.isEmpty();
    }

    public static void main(String[] arguments) throws Exception {
        System.exit(new CuratorTest(arguments[0]).run() ? 0 : 1);
    }
}
