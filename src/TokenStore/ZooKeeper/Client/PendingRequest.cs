namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>A request in flight. It ends exactly once, whatever happens to the connection.</summary>
internal abstract class PendingRequest(byte[] frame)
{
    /// <summary>With a place for the number, bytes 4 to 7.</summary>
    public byte[] Frame { get; } = frame;

    /// <summary>0 to get the next one.</summary>
    public int Xid { get; set; }

    /// <summary>When it began to leave.</summary>
    public long SentAt { get; set; }

    /// <summary>Not matched with a reply: pings and the like, which the server answers out of line.</summary>
    public bool IsOutOfLine => Xid is ZooKeeperRequest.PingXid or ZooKeeperRequest.AuthXid;

    /// <summary>Reads the reply, and ends. What it throws is the peer's fault.</summary>
    public abstract void Answer(ZooKeeperError error, long zxid, ref JuteReader body);

    /// <summary>Ends without a reply.</summary>
    public abstract void Fail(ZooKeeperError error);
}

/// <summary>Nobody waits for it.</summary>
internal sealed class UnansweredRequest(byte[] frame, int xid) : PendingRequest(Numbered(frame, xid))
{
    public static UnansweredRequest Ping() =>
        new(ZooKeeperRequest.Ping(), ZooKeeperRequest.PingXid) { Xid = ZooKeeperRequest.PingXid };

    public static UnansweredRequest Auth(byte[] userAndPassword) =>
        new(ZooKeeperRequest.Auth(userAndPassword), ZooKeeperRequest.AuthXid) { Xid = ZooKeeperRequest.AuthXid };

    public override void Answer(ZooKeeperError error, long zxid, ref JuteReader body)
    {
    }

    public override void Fail(ZooKeeperError error)
    {
    }

    private static byte[] Numbered(byte[] frame, int xid)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), xid);
        return frame;
    }
}

/// <summary>A request whose sender waits for the reply.</summary>
/// <param name="request">What is sent.</param>
/// <param name="ended">Called at the end, before the sender goes on: the error, and the watch that is left if there is
/// none.</param>
internal sealed class PendingRequest<T>(ZooKeeperRequest<T> request, Action<ZooKeeperError, WatchKind, string> ended)
    : PendingRequest(request.Frame)
{
    private readonly TaskCompletionSource<ZooKeeperReply<T>> _reply = new(
        TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<ZooKeeperReply<T>> Reply => _reply.Task;

    public override void Answer(ZooKeeperError error, long zxid, ref JuteReader body)
    {
        // A reply that cannot be read leaves the request among the pending, which fail with the connection.
        var value = error == ZooKeeperError.Ok ? request.Parse(ref body) : default!;
        ended(error, request.Watch, request.Path);
        _reply.TrySetResult(new ZooKeeperReply<T>(error, value, zxid));
    }

    public override void Fail(ZooKeeperError error)
    {
        ended(error, WatchKind.None, request.Path);
        _reply.TrySetResult(new ZooKeeperReply<T>(error, default!, 0));
    }
}
