using System.Net;
using System.Net.Sockets;
using System.Text;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Something that is not etcd answers: never an admission, always "the store cannot tell".</summary>
public sealed class EtcdHostileTests : IAsyncDisposable
{
    private const string Header = """{"revision":"7","raft_term":"2","member_id":"1","cluster_id":"18446744073709551615"}""";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly EtcdTokenStore _store;
    private readonly Task _serving;
    private volatile string _answer = "";

    public EtcdHostileTests()
    {
        _listener.Start();
        var endpoint = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _store = new EtcdTokenStore(
            new EtcdTokenStoreOptions { Endpoints = [endpoint] }, TimeProvider.System, new TestLogger<EtcdTokenStore>());
        _serving = ServeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"succeeded\":true}")]
    [InlineData("{\"header\":HEADER,\"succeeded\":true}")]
    [InlineData("{\"header\":HEADER,\"succeeded\":true,\"responses\":[]}")]
    [InlineData("{\"header\":{\"revision\":\"-3\"},\"succeeded\":true,\"responses\":[{},{}]}")]
    [InlineData("{\"header\":{\"revision\":\"99999999999999999999\"},\"succeeded\":true,\"responses\":[{},{}]}")]
    [InlineData("{\"header\":HEADER,\"succeeded\":\"yes\",\"responses\":[{},{}]}")]
    [InlineData("{\"header\":HEADER,\"responses\":[null,null,null]}")]
    [InlineData("{\"header\":HEADER,\"responses\":[{\"response_range\":{\"kvs\":[null]}},{},{}]}")]
    [InlineData("{\"header\":HEADER,\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":\"YQ==\",\"value\":\"e30=\",\"mod_revision\":\"3\"}]}},{},{}]}")]
    [InlineData("{\"header\":HEADER,\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":\"!\",\"value\":5}]}},{},{}]}")]
    [InlineData("<html>a proxy's page</html>")]
    public async Task EnterAsync_AnswerMakesNoSense_IsUnavailableWithUnknownOutcome(string answer)
    {
        await OpenAsync();
        _answer = Ok(answer.Replace("HEADER", Header));
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => EnterAsync());
        refused.NotTaken.ShouldBeFalse();
        refused.SessionEnded.ShouldBeFalse();
    }

    [Theory]
    [InlineData("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"header\":")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    public async Task EnterAsync_NotAnAnswerAtAll_IsUnavailableWithUnknownOutcome(string answer)
    {
        await OpenAsync();
        _answer = answer;
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => EnterAsync())).NotTaken.ShouldBeFalse();
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(8, true)]
    [InlineData(14, false)]
    [InlineData(4, false)]
    [InlineData(2, false)]
    public async Task EnterAsync_RefusedByEtcd_IsKnownNotToBeTakenOnlyWhereThatIsCertain(int code, bool notTaken)
    {
        await OpenAsync();
        var body = $$$"""{"error":"etcdserver: no","message":"etcdserver: no","code":{{{code}}}}""";
        _answer = $"HTTP/1.1 503 No\r\nContent-Length: {body.Length}\r\n\r\n{body}";
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => EnterAsync())).NotTaken.ShouldBe(notTaken);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public async Task HeartbeatAsync_LeaderChangedMeanwhile_IsNotTakenForProlonged(int termAtRead, bool certain)
    {
        await OpenAsync();
        _answer = Ok($$$"""{"header":{{{Header}}},"ID":"5","TTL":"5","succeeded":true,"responses":[{}]}""");
        await _store.StartSessionAsync("s", TimeSpan.FromSeconds(5), default);
        _answer = Ok($$$"""
            {"result":{"header":{"revision":"7","raft_term":"2"},"ID":"5","TTL":"5"},
             "header":{"revision":"7","raft_term":"{{{termAtRead}}}"},"succeeded":true,
             "responses":[{"response_range":{"kvs":[{"key":"cw==","mod_revision":"6","lease":"5"}]}},{"response_range":{}},{"response_range":{}}]}
            """);
        var beat = async () => await _store.HeartbeatAsync("s", default);
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
        await using var store = new EtcdTokenStore(
            new EtcdTokenStoreOptions { Endpoints = ["http://root:sesame@127.0.0.1:1"] }, TimeProvider.System, new TestLogger<EtcdTokenStore>());
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default));
        refused.Message.ShouldNotContain("sesame");
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _end.CancelAsync();
        _listener.Stop();
        await _serving;
        _end.Dispose();
    }

    private static string Ok(string body) =>
        $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    private async Task OpenAsync()
    {
        // One answer that will do for every question of an open store.
        _answer = Ok($$$"""
            {"header":{{{Header}}},"version":"3.4.23","members":[{"ID":"1"}],"succeeded":true,
             "responses":[{"response_range":{"kvs":[{"key":"ZQ==","value":"ZQ==","mod_revision":"2"}]}}]}
            """);
        await _store.OpenAsync(default);
    }

    private async Task<EnterReply> EnterAsync()
    {
        using var bound = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        return await _store.EnterAsync(
            new EnterRequest("s", EtcdGateway.Key("a"), new FencingToken(5), new FencingToken(5), 1, TimeSpan.FromSeconds(1)), bound.Token);
    }

    /// <summary>Reads whatever comes and says the answer to it; each connection is used once.</summary>
    private async Task ServeAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                using var connection = await _listener.AcceptTcpClientAsync(_end.Token);
                var stream = connection.GetStream();
                _ = await stream.ReadAsync(new byte[64 * 1024], _end.Token);
                await stream.WriteAsync(Encoding.UTF8.GetBytes(_answer), _end.Token);
                connection.Client.Shutdown(SocketShutdown.Send);
                await stream.CopyToAsync(Stream.Null, _end.Token);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
            }
        }
    }
}
