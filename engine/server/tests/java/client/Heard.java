import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** A queue of events that is a watcher. */
final class Heard implements Watcher {
    /** Events that do not come within this never come. */
    static final long PATIENCE_MS = 60_000;

    private final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();

    @Override
    public void process(WatchedEvent event) {
        events.add(event);
    }

    private WatchedEvent next() throws InterruptedException {
        WatchedEvent event = events.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (event == null) {
            throw new AssertionError("no event");
        }
        return event;
    }

    /** The next event of a node: a watch also hears of its client's connection. */
    WatchedEvent ofNode() throws InterruptedException {
        WatchedEvent event = next();
        while (event.getType() == Event.EventType.None) {
            event = next();
        }
        return event;
    }

    void expect(Event.EventType type, String path) throws InterruptedException {
        WatchedEvent event = ofNode();
        if (event.getType() != type || !path.equals(event.getPath())) {
            throw new AssertionError(type + " " + path + ", got " + event);
        }
    }

    /** Whether nothing has come of any node that was not asked for. */
    boolean nothing() {
        return events.stream().allMatch(event -> event.getType() == Event.EventType.None);
    }

    /** Waits until the connection is in this state. */
    void state(Event.KeeperState state) throws InterruptedException {
        WatchedEvent event = next();
        while (event.getType() != Event.EventType.None || event.getState() != state) {
            event = next();
        }
    }
}
