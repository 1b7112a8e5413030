using System.Collections.Concurrent;
using System.Text;
using FenceGateway.Gateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>Whatever an operator may have changed is in the audit.</summary>
public sealed class ResourceEndpointsTests : IAsyncDisposable
{
    private const string MarkBody = """{ "mark": 33, "reason": "why" }""";
    private const string ResolveBody = """{ "reason": "why" }""";

    private readonly ListLogger _logger = new();
    private readonly ManualTimeProvider _time = new();
    private readonly OperatorScript _store = new();
    private readonly StoreClient _session;
    private readonly ResourceEndpoints _resources;

    public ResourceEndpointsTests()
    {
        _session = TestSession.Open(_store, _time);
        var table = new FenceTable(_session, _time, capacity: 16);
        _resources = new ResourceEndpoints(
            _session, table, new OperatorChanges(table, _session, _time, TimeSpan.FromSeconds(10)), new InDoubtHolds(),
            _time, _logger);
    }

    [Theory]
    [InlineData("mark", MarkBody, 1404, "set the mark of orders/1 from 100 to 33: why. Outcome unknown: The token "
        + "store did not answer within")]
    [InlineData("resolve", ResolveBody, 1405, "resolve tokens in doubt of orders/1: why. Outcome unknown: The token "
        + "store did not answer within")]
    public async Task Change_StoreDoesNotAnswerInTime_IsAuditedAsUnknown(
        string change, string body, int id, string text)
    {
        var asked = new TaskCompletionSource();
        _store.Change = _ =>
        {
            asked.SetResult();
            return new TaskCompletionSource<int>().Task;
        };
        var context = Request(change, body);
        var answering = _resources.ChangeAsync(context);
        await asked.Task.WithinLimit("the store to be asked");
        _time.Advance(TimeSpan.FromSeconds(5));
        await answering.WithinLimit("an answer");

        var entry = _logger.Entries.ShouldHaveSingleItem();
        entry.Id.ShouldBe(id);
        entry.Text.ShouldContain(text);
        context.Response.StatusCode.ShouldBe(503);
        Text(context).ShouldContain("not known whether the change was made");
    }

    [Theory]
    [InlineData("mark", MarkBody, 1402)]
    [InlineData("resolve", ResolveBody, 1403)]
    public async Task Change_ClientLeavesMeanwhile_IsMadeAndAudited(string change, string body, int id)
    {
        using var aborted = new CancellationTokenSource();
        _store.Change = async cancellationToken =>
        {
            await aborted.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            return 1;
        };
        var context = Request(change, body);
        context.RequestAborted = aborted.Token;

        // The answer may or may not find the client gone.
        await _resources.ChangeAsync(context).ContinueWith(_ => { }, TaskScheduler.Default);

        _logger.Entries.ShouldHaveSingleItem().Id.ShouldBe(id);
    }

    [Theory]
    [InlineData("mark", MarkBody)]
    [InlineData("resolve", ResolveBody)]
    public async Task Change_CertainlyNotMade_IsNotAudited(string change, string body)
    {
        _store.Change = _ => throw new TokenStoreUnavailableException("away") { NotTaken = true };
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => _resources.ChangeAsync(Request(change, body)));
        _logger.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Mark_WhileAnotherChangeIsUnderWay_SaysThat()
    {
        var (asked, first) = (new TaskCompletionSource(), new TaskCompletionSource<int>());
        _store.Change = _ =>
        {
            asked.TrySetResult();
            return first.Task;
        };
        var (one, two) = (Request("mark", MarkBody), Request("mark", MarkBody));
        var answering = _resources.ChangeAsync(one);
        await asked.Task.WithinLimit("the store to be asked");

        await _resources.ChangeAsync(two).WithinLimit("an answer");
        first.SetResult(1);
        await answering.WithinLimit("the first answer");

        (one.Response.StatusCode, two.Response.StatusCode).ShouldBe((200, 409));
        Text(two).ShouldContain("Another change of orders/1 is under way");
        _logger.Entries.ShouldHaveSingleItem().Id.ShouldBe(1402);
    }

    /// <summary>
    /// At another gateway: the store refuses a change that was read before it, and nobody is registered.
    /// </summary>
    [Fact]
    public async Task Mark_ChangedMeanwhileElsewhere_SaysThat()
    {
        _store.Change = _ => Task.FromResult(0);
        var context = Request("mark", MarkBody);

        await _resources.ChangeAsync(context);

        context.Response.StatusCode.ShouldBe(409);
        Text(context).ShouldContain("Another change of orders/1 is under way, or was made meanwhile");
    }

    [Fact]
    public async Task Mark_OnlyARegistrationElsewhere_IsTriedUntilThatHasGone()
    {
        var refusals = 0;
        _store.Writers = [new WriterRecord("elsewhere", new(100), null)];
        _store.Change = _ => Task.FromResult(++refusals < 5 ? 0 : 1);
        var context = Request("mark", MarkBody);

        var answering = _resources.ChangeAsync(context);
        while (!answering.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await answering;
        context.Response.StatusCode.ShouldBe(200);
        refusals.ShouldBe(5);
    }

    [Theory]
    [InlineData("{ \"mark\": 33, \"reason\": \"why\", \"note\": \"\u00ff\" }")]
    [InlineData("{ \"mark\": 33, \"reason\": \"\u00c3\" }")]
    [InlineData("{ \"mark\": 33, \"reason\": \"why\", \"resource\": \"\u00ed\u00a0\u0080\" }")]
    public async Task Change_BodyThatIsNoUtf8_400(string latin)
    {
        var context = Request("mark", "");
        var bytes = Encoding.Latin1.GetBytes(latin);
        (context.Request.Body, context.Request.ContentLength) = (new MemoryStream(bytes), bytes.Length);

        await _resources.ChangeAsync(context);

        context.Response.StatusCode.ShouldBe(400);
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private static DefaultHttpContext Request(string change, string body)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = HttpMethods.Post;
        context.Request.RouteValues["key"] = $"orders/1/{change}";
        context.Request.ContentType = "application/json";
        context.Request.ContentLength = Encoding.UTF8.GetByteCount(body);
        context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        context.Response.Body = new MemoryStream();
        return context;
    }

    private static string Text(HttpContext context) =>
        Encoding.UTF8.GetString(((MemoryStream)context.Response.Body).ToArray());

    private sealed class ListLogger : ILogger<ResourceEndpoints>
    {
        public ConcurrentQueue<(int Id, string Text)> Entries { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            Entries.Enqueue((eventId.Id, formatter(state, exception)));
    }
}
