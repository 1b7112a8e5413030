using System.Net;
using System.Net.Sockets;
using System.Text;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;
using FenceGateway.TokenStore.Etcd.Wire;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Something that is not etcd answers: never an admission, always "the store cannot tell".</summary>
public sealed class EtcdHostileTests : IAsyncLifetime
{
    private const string Header = """{"revision":"7","raft_term":"2"}""";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private Task _serving = Task.CompletedTask;
    private EtcdPeer? _peer;
    private TcpProxy? _proxy;
    private EtcdTokenStore? _store;
    private RequestDelegate _answer = AnswerLikeEtcdAsync;
    private string _bytes = "";

    private EtcdTokenStore Store => _store ?? throw new InvalidOperationException("Not started.");

    private TcpProxy Proxy => _proxy ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync()
    {
        _listener.Start();
        _serving = ServeBytesAsync();
        _peer = await EtcdPeer.StartAsync(context => _answer(context));
        _proxy = new TcpProxy(_peer.Port);
        _store = NewStore($"http://127.0.0.1:{Proxy.Port}");
        await Store.OpenAsync(default);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"succeeded":true}""")]
    [InlineData("""{"header":HEADER,"succeeded":true}""")]
    [InlineData("""{"header":HEADER,"succeeded":true,"responses":[]}""")]
    [InlineData("""{"header":{"revision":"-3"},"succeeded":true,"responses":[{},{}]}""")]
    [InlineData("""{"header":HEADER,"responses":[{},{},{}]}""")]
    [InlineData("""{"header":HEADER,"responses":[{"response_put":{}},{"response_put":{}},{"response_put":{}}]}""")]
    [InlineData("""{"header":HEADER,"responses":[{"response_range":{"kvs":[{}]}},{"response_range":{}},{"response_range":{}}]}""")]
    [InlineData("""{"header":HEADER,"responses":[{"response_range":{"kvs":[{"key":"YQ==","value":"e30=","mod_revision":"3"}]}},{},{}]}""")]
    [InlineData("""{"header":HEADER,"responses":[{"response_range":{"kvs":[{"key":"IQ==","value":"gA=="}]}},{},{}]}""")]
    public async Task EnterAsync_AnswerMakesNoSense_IsUnavailableWithUnknownOutcome(string answer)
    {
        var message = JsonParser.Default.Parse<TxnResponse>(answer.Replace("HEADER", Header));
        _answer = context => EtcdPeer.AnswerAsync(context, message);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(EnterAsync);
        refused.NotTaken.ShouldBeFalse();
        refused.SessionEnded.ShouldBeFalse();
    }

    [Theory]
    [InlineData("nothing", "0")]
    [InlineData("nothing", null)]
    [InlineData("nothing", "99")]
    [InlineData("nothing", "none")]
    [InlineData("a message that is none", "0")]
    [InlineData("half a message", "0")]
    [InlineData("half a head", "0")]
    [InlineData("two messages", "0")]
    [InlineData("a compressed message", "0")]
    [InlineData("the promise of a giant message", "0")]
    [InlineData("a giant message", "0")]
    public async Task EnterAsync_NotAMessage_IsUnavailableWithUnknownOutcome(string what, string? status)
    {
        byte[] bytes = what switch
        {
            "a message that is none" => EtcdPeer.Frame([0xFF, 0xFF, 0xFF]),
            "half a message" => [0, 0, 0, 0, 100, 1, 2, 3],
            "half a head" => [0, 0],
            "two messages" => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "a compressed message" => [1, 0, 0, 0, 1, 0],
            "the promise of a giant message" => [0, 0x7F, 0xFF, 0xFF, 0xFF],
            "a giant message" => EtcdPeer.Frame(new byte[17 << 20]),
            _ => [],
        };
        _answer = context => EtcdPeer.AnswerAsync(context, bytes, status);
        (await Should.ThrowAsync<TokenStoreUnavailableException>(EnterAsync)).NotTaken.ShouldBeFalse();
    }

    [Theory]
    [InlineData(200)]
    [InlineData(302)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(500)]
    public async Task EnterAsync_AWebPage_IsUnavailableWithUnknownOutcome(int status)
    {
        _answer = async context =>
        {
            (context.Response.StatusCode, context.Response.ContentType) = (status, "text/html");
            context.Response.Headers.Location = "http://example.com/";
            await context.Response.WriteAsync("<html>a proxy's page</html>");
        };
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(EnterAsync);
        refused.NotTaken.ShouldBeFalse("a page in between says nothing of what etcd did");
        refused.Message.ShouldContain("not etcd's");
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("\0\0\u0003\u0004\0\0\0\0\0abc")] // SETTINGS of half an entry
    [InlineData("\0\0\0\u0004\0\0\0\0\0\0\0\0\u0004\u0001\0\0\0\0")] // SETTINGS and its acknowledgement, and the end
    [InlineData("")]
    public async Task EnterAsync_NotHttp2_IsUnavailableWithUnknownOutcome(string bytes)
    {
        _bytes = bytes;
        Proxy.Target = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Proxy.Cut();
        Proxy.Heal();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(EnterAsync)).NotTaken.ShouldBeFalse();
    }

    [Theory]
    [InlineData(3, "etcdserver: no", true)]
    [InlineData(8, "etcdserver: no", true)]
    [InlineData(14, "etcdserver: no", false)]
    [InlineData(4, "etcdserver: no", false)]
    [InlineData(2, "etcdserver: no", false)]
    [InlineData(3, "somebody in between: no", false)]
    [InlineData(8, "", false)]
    public async Task EnterAsync_RefusedByEtcd_IsKnownNotToBeTakenOnlyWhereThatIsCertain(
        int code, string words, bool notTaken)
    {
        _answer = context => EtcdPeer.AnswerAsync(context, [], $"{code}", words);
        (await Should.ThrowAsync<TokenStoreUnavailableException>(EnterAsync)).NotTaken.ShouldBe(notTaken);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public async Task HeartbeatAsync_LeaderChangedMeanwhile_IsNotTakenForProlonged(int termAtRead, bool certain)
    {
        await Store.StartSessionAsync("s", TimeSpan.FromSeconds(5), default);
        var read = JsonParser.Default.Parse<TxnResponse>(
            $$$"""
            {"header":{"revision":"7","raft_term":"{{{termAtRead}}}"},"succeeded":true,
             "responses":[{"response_range":{"kvs":[{"key":"cw==","mod_revision":"6","lease":"5"}]}},{"response_range":{}},{"response_range":{}}]}
            """);
        _answer = context =>
            IsTransaction(context) ? EtcdPeer.AnswerAsync(context, read) : AnswerLikeEtcdAsync(context);
        var beat = async () => await Store.HeartbeatAsync("s", default);
        if (certain)
        {
            (await beat()).Alive.ShouldBeTrue();
        }
        else
        {
            (await Should.ThrowAsync<TokenStoreUnavailableException>(beat)).Message.ShouldContain("leader");
        }
    }

    [Fact]
    public async Task OpenAsync_EndpointWithAPassword_IsRefusedWithoutRepeatingIt()
    {
        await using var store = NewStore("http://root:sesame@127.0.0.1:1");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldNotContain("sesame");
    }

    [Fact]
    public async Task OpenAsync_PasswordEchoed_IsNotRepeated()
    {
        await using var store = new EtcdTokenStore(
            new EtcdTokenStoreOptions { Endpoints = [_peer!.Address], UserName = "root", Password = () => "sesame" },
            TimeProvider.System, new TestLogger<EtcdTokenStore>());
        _answer = context => EtcdPeer.AnswerAsync(context, [], "3", "etcdserver: cannot log in root with sesame");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldNotContain("sesame");
        refused.NotTaken.ShouldBeTrue();
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        await Proxy.DisposeAsync();
        await _peer!.DisposeAsync();
        await _end.CancelAsync();
        _listener.Dispose();
        await _serving;
        _end.Dispose();
    }

    private static EtcdTokenStore NewStore(string endpoint) =>
        new(new EtcdTokenStoreOptions { Endpoints = [endpoint] }, TimeProvider.System, new TestLogger<EtcdTokenStore>());

    private static bool IsTransaction(HttpContext context) => context.Request.Path == "/etcdserverpb.KV/Txn";

    /// <summary>Answers that will do for an opening and a session.</summary>
    private static Task AnswerLikeEtcdAsync(HttpContext context) =>
        EtcdPeer.AnswerAsync(context, context.Request.Path.Value switch
        {
            "/etcdserverpb.Maintenance/Status" => new StatusResponse { Version = "3.4.23" },
            "/etcdserverpb.Cluster/MemberList" => new MemberListResponse { Members = { new Member() } },
            "/etcdserverpb.Lease/LeaseGrant" => new LeaseGrantResponse { ID = 5, TTL = 5 },
            "/etcdserverpb.Lease/LeaseKeepAlive" =>
                new LeaseKeepAliveResponse { Header = new ResponseHeader { Revision = 7, RaftTerm = 2 }, ID = 5, TTL = 5 },
            "/etcdserverpb.KV/Txn" => JsonParser.Default.Parse<TxnResponse>(
                $$$"""
            {"header":{{{Header}}},"succeeded":true,
             "responses":[{"response_range":{"kvs":[{"key":"ZQ==","value":"ZQ==","mod_revision":"2"}]}}]}
            """),
            _ => new WatchResponse { Header = new ResponseHeader { Revision = 7 }, Created = true },
        });

    private async Task<EnterReply> EnterAsync()
    {
        using var bound = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        return await Store.EnterAsync(
            new EnterRequest(
                "s", EtcdGateway.Key("a"), new FencingToken(5), new FencingToken(5), 1,
                TimeSpan.FromSeconds(1)), bound.Token);
    }

    /// <summary>Reads whatever comes and says the same to it.</summary>
    private async Task ServeBytesAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                using var connection = await _listener.AcceptTcpClientAsync(_end.Token);
                var stream = connection.GetStream();
                _ = await stream.ReadAsync(new byte[64 * 1024], _end.Token);
                await stream.WriteAsync(Encoding.Latin1.GetBytes(_bytes), _end.Token);
                connection.Client.Shutdown(SocketShutdown.Send);
                await stream.CopyToAsync(Stream.Null, _end.Token);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
            }
        }
    }
}
