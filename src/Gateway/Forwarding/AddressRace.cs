using System.Net;
using System.Net.Sockets;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Connects to a service by the first of its addresses that takes the connection: an address that does not answer holds
/// up nobody who could be served by the next one.
/// </summary>
/// <param name="addresses">In the order in which they are to be tried, but for the families, which take turns.</param>
/// <param name="port">The same at each.</param>
/// <param name="time">Tells when the next one's turn has come.</param>
/// <remarks>Source: RFC 8305 (Happy Eyeballs), sections 4 and 5. As many connections are under way as
/// <see cref="Turn"/> fits into the time to connect, and never more than one to an address.</remarks>
internal sealed class AddressRace(IReadOnlyList<IPAddress> addresses, int port, TimeProvider time)
{
    /// <summary>How long one address is waited for before the next is tried too. One that fails is not waited
    /// for.</summary>
    public static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(250);

    /// <summary>The first connection that comes about. The others are closed, and nothing was sent on them.</summary>
    /// <exception cref="SocketException">None did.</exception>
    /// <exception cref="OperationCanceledException">None did in time.</exception>
    public async Task<Socket> ConnectAsync(CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = new Queue<IPAddress>(InTurns());
        var running = new List<Task<Socket>>();
        SocketException? failure = null;
        try
        {
            while (waiting.Count + running.Count > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (waiting.TryDequeue(out var next))
                {
                    running.Add(TryAsync(next, over.Token));
                }

                var first = waiting.Count == 0
                    ? await Task.WhenAny(running)
                    : await FirstInTurnAsync(running, over.Token);
                if (first is { } ended)
                {
                    running.Remove(ended);
                    try
                    {
                        return await ended;
                    }
                    catch (SocketException e)
                    {
                        failure = Telling(failure, e);
                    }
                }
            }
        }
        finally
        {
            await over.CancelAsync();
            running.ForEach(static late => _ = CloseAsync(late));
        }

        throw failure ?? new SocketException((int)SocketError.NoData);
    }

    /// <summary>What the service itself has to do with says more than what is missing here, such as an address of the
    /// other family.</summary>
    private static SocketException Telling(SocketException? before, SocketException now) =>
        before is null || AttemptResult.IsShortage(before.SocketErrorCode) ? now : before;

    /// <summary>The first attempt that ends; null when it is the next address's turn.</summary>
    private async Task<Task<Socket>?> FirstInTurnAsync(List<Task<Socket>> running, CancellationToken over)
    {
        Task first;
        using (var turn = CancellationTokenSource.CreateLinkedTokenSource(over))
        {
            first = await Task.WhenAny([.. running, Task.Delay(Turn, time, turn.Token)]);
            await turn.CancelAsync();
        }

        return first as Task<Socket>;
    }

    private async Task<Socket> TryAsync(IPAddress address, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(new IPEndPoint(address, port), cancellationToken);
            return socket;
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>An attempt that another was faster than may still have come to its end.</summary>
    private static async Task CloseAsync(Task<Socket> late)
    {
        try
        {
            (await late).Dispose();
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // It has closed itself.
        }
    }

    private IEnumerable<IPAddress> InTurns()
    {
        var families = addresses.GroupBy(static address => address.AddressFamily)
            .Select(static family => family.ToArray()).ToArray();
        var longest = families.Length == 0 ? 0 : families.Max(static family => family.Length);
        return Enumerable.Range(0, longest)
            .SelectMany(i => families.Where(family => i < family.Length).Select(family => family[i]));
    }
}
