using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// Kestrel's listeners, with as many connections open at once as there are descriptors for: one above that is closed
/// before the next one is accepted. Kestrel's own limit looks at connections later, when a burst has taken more
/// descriptors than the process has.
/// </summary>
/// <param name="options">Kestrel's own.</param>
/// <param name="loggers">For Kestrel's sockets.</param>
/// <param name="most">Connections, of all listeners together.</param>
internal sealed class BoundedListeners(IOptions<SocketTransportOptions> options, ILoggerFactory loggers, int most)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly SocketTransportFactory _sockets = new(options, loggers);
    private int _open;

    public bool CanBind(EndPoint endpoint) => _sockets.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(
        EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new Listener(await _sockets.BindAsync(endpoint, cancellationToken), this);

    private bool TryOpen(ConnectionContext connection)
    {
        if (Interlocked.Increment(ref _open) > most)
        {
            Interlocked.Decrement(ref _open);
            return false;
        }

        connection.ConnectionClosed.UnsafeRegister(
            static state => Interlocked.Decrement(ref ((BoundedListeners)state!)._open), this);
        return true;
    }

    private sealed class Listener(IConnectionListener inner, BoundedListeners all) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await inner.AcceptAsync(cancellationToken) is { } connection)
            {
                if (all.TryOpen(connection))
                {
                    return connection;
                }

                connection.Abort(
                    new ConnectionAbortedException("The process has no descriptors for more connections."));
                await connection.DisposeAsync();
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) =>
            inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
