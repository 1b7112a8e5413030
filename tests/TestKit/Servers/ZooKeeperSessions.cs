using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit;

/// <summary>
/// Ends sessions of a ZooKeeper behind their owners' back, as if the server had not heard of them for too long.
/// </summary>
public static class ZooKeeperSessions
{
    private const long ServerSecret = 0xB3415C00L;
    private const int PasswordLength = 16;
    private const int CloseSession = -11;
    private const int Attempts = 30;

    /// <summary>Longer after each attempt: its owner is faster where the machine is slow.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);

    /// <summary>The sessions that have ephemeral nodes.</summary>
    public static async Task<IReadOnlyList<long>> FindAsync(ZooKeeperServer server)
    {
        var dump = await server.AskAsync("dump");
        return
        [
            .. dump.Split('\n')
                .SkipWhile(line => !line.StartsWith("Sessions with Ephemerals", StringComparison.Ordinal))
                .Where(line => line.StartsWith("0x", StringComparison.Ordinal) && line.TrimEnd().EndsWith(':'))
                .Select(line => long.Parse(line.Trim()[2..^1], NumberStyles.HexNumber, CultureInfo.InvariantCulture)),
        ];
    }

    /// <summary>
    /// Takes the session over to a connection of its own, whose password the server makes from the session's id, and
    /// closes it: its ephemeral nodes go, and its owner finds it expired.
    /// </summary>
    public static async Task ExpireAsync(ZooKeeperServer server, long session)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await CloseAsync(server, session);
                return;
            }
            catch (IOException) when (attempt < Attempts)
            {
                // Its owner, cut off by this, was back first and took it over again.
                await Task.Delay(attempt * FirstPause, TimeProvider.System);
            }
        }
    }

    private static async Task CloseAsync(ZooKeeperServer server, long session)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port);
        var stream = client.GetStream();
        await stream.WriteAsync((byte[])[.. ConnectRequest(session), .. CloseRequest()]);
        if (HasEnded(await ReadAsync(stream)))
        {
            // By the attempt before, whose answer was lost.
            return;
        }

        // The server answers, and hangs up after that.
        _ = await ReadAsync(stream);
    }

    /// <summary>
    /// The answer to a connect request: version of the protocol, and how long the session lives, which is not at all
    /// when it has ended.
    /// </summary>
    private static bool HasEnded(byte[] connected) => BinaryPrimitives.ReadInt32BigEndian(connected.AsSpan(4)) <= 0;

    private static byte[] ConnectRequest(long session)
    {
        var frame = new byte[4 + 45];
        BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - 4);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(16), 10_000);
        BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(20), session);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(28), PasswordLength);
        WritePassword(session, frame.AsSpan(32, PasswordLength));
        return frame;
    }

    private static byte[] CloseRequest()
    {
        var frame = new byte[12];
        BinaryPrimitives.WriteInt32BigEndian(frame, 8);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), 1);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(8), CloseSession);
        return frame;
    }

    /// <summary>
    /// <c>SessionTrackerImpl</c> and <c>ZooKeeperServer.generatePasswd</c>: bytes of a java.util.Random.
    /// </summary>
    private static void WritePassword(long session, Span<byte> password)
    {
        const long Multiplier = 0x5DEECE66DL;
        const long Mask = (1L << 48) - 1;
        var seed = (session ^ ServerSecret ^ Multiplier) & Mask;
        for (var i = 0; i < password.Length; i += 4)
        {
            seed = unchecked((seed * Multiplier) + 0xB) & Mask;
            BinaryPrimitives.WriteInt32LittleEndian(password[i..], unchecked((int)(seed >> 16)));
        }
    }

    private static async Task<byte[]> ReadAsync(NetworkStream stream)
    {
        var length = new byte[4];
        await stream.ReadExactlyAsync(length).AsTask().WithinLimit("an answer of ZooKeeper");
        var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await stream.ReadExactlyAsync(frame);
        return frame;
    }
}
