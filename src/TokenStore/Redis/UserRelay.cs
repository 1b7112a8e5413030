using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// Signs in as a named user for a client that can only give a password: the client connects to a loopback port of this process with a
/// random password, and its first command is replaced by one with user and password on the way to the server. Everything after that
/// is passed on as it is. The 2.x client signs in by itself and needs none of this.
/// </summary>
internal sealed class UserRelay : IAsyncDisposable
{
    /// <summary>A client has two connections to a server; those that are just ending come on top.</summary>
    private const int MaxConnections = 16;

    private static readonly TimeSpan AfterFailure = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan SignInLimit = TimeSpan.FromSeconds(10);

    private readonly EndPoint _server;
    private readonly SslClientAuthenticationOptions? _encryption;
    private readonly byte[] _expected;
    private readonly byte[] _signIn;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly SemaphoreSlim _places = new(MaxConnections, MaxConnections);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    /// <param name="server">The real server.</param>
    /// <param name="user">Who signs in there.</param>
    /// <param name="password">With what.</param>
    /// <param name="secret">The password that the client gives here; nobody else knows it.</param>
    /// <param name="encryption">How the connection to the server is encrypted; null for not at all.</param>
    public UserRelay(EndPoint server, string user, string password, string secret, SslClientAuthenticationOptions? encryption)
    {
        _server = server;
        _encryption = encryption;
        _expected = Command("AUTH", secret);
        _signIn = Command("AUTH", user, password);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where the client connects to.</summary>
    public EndPoint Address => _listener.LocalEndpoint;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _places.WaitAsync(_stop.Token);
                if (await TryAcceptAsync() is { } accepted)
                {
                    _ = ServeAsync(accepted);
                }
                else
                {
                    _places.Release();
                    await Task.Delay(AfterFailure, TimeProvider.System, _stop.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    /// <summary>null when it failed: a client that was gone again, or no descriptor left. The next one may be served.</summary>
    private async Task<Socket?> TryAcceptAsync()
    {
        try
        {
            return await _listener.AcceptSocketAsync(_stop.Token);
        }
        catch (SocketException) when (!_stop.IsCancellationRequested)
        {
            return null;
        }
        catch (SocketException e)
        {
            throw new OperationCanceledException("The relay is closed.", e);
        }
    }

    private async Task ServeAsync(Socket accepted)
    {
        try
        {
            await using var client = new NetworkStream(accepted, ownsSocket: true);
            accepted.NoDelay = true;
            await using var server = await SignInAsync(client);
            if (server is not null)
            {
                using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                var (up, down) = (client.CopyToAsync(server, end.Token), server.CopyToAsync(client, end.Token));
                await Task.WhenAny(up, down);
                await end.CancelAsync();
                await Task.WhenAll(up, down);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or AuthenticationException)
        {
            // Both connections have ended: the client sees that of its own, reports it and connects again.
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<Stream?> SignInAsync(NetworkStream client)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        limit.CancelAfter(SignInLimit);
        var first = new byte[_expected.Length];
        await client.ReadExactlyAsync(first, limit.Token);
        if (!CryptographicOperations.FixedTimeEquals(first, _expected))
        {
            return null;
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? server = null;
        try
        {
            await socket.ConnectAsync(_server, limit.Token);
            server = new NetworkStream(socket, ownsSocket: true);
            if (_encryption is not null)
            {
                var encrypted = new SslStream(server);
                server = encrypted;
                await encrypted.AuthenticateAsClientAsync(_encryption, limit.Token);
            }

            await server.WriteAsync(_signIn, limit.Token);
            return server;
        }
        catch
        {
            await (server?.DisposeAsync() ?? ValueTask.CompletedTask);
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A command as it goes over the wire.</summary>
    private static byte[] Command(params string[] parts) => Encoding.UTF8.GetBytes(
        $"*{parts.Length}\r\n" + string.Concat(parts.Select(part => $"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n")));
}
