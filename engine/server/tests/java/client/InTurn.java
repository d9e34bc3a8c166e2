import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.List;
import org.apache.zookeeper.client.HostProvider;

/**
 * The servers one after the other, from a given one on: so a test knows that its clients are at different servers, and that
 * each connection of a client is to another server than the one before. (The client's own provider shuffles.)
 */
final class InTurn implements HostProvider {
    private final List<InetSocketAddress> servers;
    private int next;
    private boolean held;

    InTurn(List<InetSocketAddress> servers, int first) {
        this.servers = servers;
        this.next = first;
    }

    @Override
    public int size() {
        return servers.size();
    }

    @Override
    public synchronized InetSocketAddress next(long spinDelay) {
        while (held) {
            try {
                wait();
            } catch (InterruptedException e) {
                held = false;
            }
        }
        return servers.get(next++ % servers.size());
    }

    /** Until this is taken back, a client that has lost its connection gets no other one. */
    synchronized void hold(boolean held) {
        this.held = held;
        notifyAll();
    }

    @Override
    public void onConnected() {
    }

    /** Whatever the new list is: the client is to leave its connection. */
    @Override
    public boolean updateServerList(Collection<InetSocketAddress> ignored, InetSocketAddress current) {
        return true;
    }
}
