using System.Runtime.CompilerServices;
using FenceGateway.TokenStore.Etcd.Wire;
using FenceGateway.TokenStore.Tls;
using Grpc.Core;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Calls etcd. A call goes to the member that served last; to the next one only when it certainly was not sent. After
/// any other failure the next call begins with the next member.
/// </summary>
internal sealed class EtcdClient : IDisposable
{
    /// <summary>
    /// What every error of etcd's own begins with. Others are of who stands in between, or of this process.
    /// </summary>
    private const string Etcds = "etcdserver: ";

    /// <summary>What is repeated of an answer that is not etcd's, in characters.</summary>
    private const int LongestQuote = 160;

    private readonly EtcdMember[] _members;
    private readonly Func<string>? _password;
    private int _current;
    private long _calls;
    private volatile string? _token;

    /// <summary>With the password of the last log-in.</summary>
    private volatile AuthenticateRequest? _user;

    public EtcdClient(EtcdTokenStoreOptions options, TimeProvider clock)
    {
        var tls = new StoreTls("TokenStore:Etcd", options.CertificateAuthority, options.ClientCertificate);
        var addresses = options.Endpoints.Select(e => new Uri(e)).ToArray();
        Location = string.Join(',', addresses.Select(a => a.GetLeftPart(UriPartial.Authority)));
        _members = Array.ConvertAll(addresses, a => new EtcdMember(a, tls, clock));
        _user = options.UserName is { Length: > 0 } user ? new AuthenticateRequest { Name = user } : null;
        _password = options.Password;
    }

    /// <summary>The endpoints, for people.</summary>
    public string Location { get; }

    /// <summary>Calls made since the start, without log-ins and watches.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Makes a call.</summary>
    /// <exception cref="EtcdException">It failed; <see cref="EtcdException.NotTaken"/> says whether that is
    /// certain.</exception>
    public async Task<T> CallAsync<T>(
        Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancellationToken)
    {
        for (var failovers = 0; ; failovers++)
        {
            var current = Volatile.Read(ref _current);
            _ = Interlocked.Increment(ref _calls);
            try
            {
                return await SendAsync(_members[current], call, cancellationToken);
            }
            catch (EtcdException e) when (e.IsNotSent && failovers + 1 < _members.Length)
            {
                MoveOn(current);
            }
            catch (EtcdException e)
            {
                if (!EtcdException.IsRefusal(e.Code))
                {
                    MoveOn(current);
                }

                throw;
            }
        }
    }

    /// <summary>What a watch tells, until the member ends it.</summary>
    /// <exception cref="EtcdException">It failed; the next one begins with the next member.</exception>
    public async IAsyncEnumerable<WatchResponse> WatchAsync(
        WatchCreateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var current = Volatile.Read(ref _current);
        var member = _members[current];
        var token = await OrMoveOnAsync(
            async () => _user is null ? null : _token ?? await AuthenticateAsync(member, cancellationToken));
        using var call = member.Watch.Watch(
            new WatchRequest { CreateRequest = request }, Options(token, cancellationToken));
        while (await OrMoveOnAsync(
                () => AnswerAsync(member, call.ResponseStream.MoveNext(cancellationToken), cancellationToken)))
        {
            yield return call.ResponseStream.Current;
        }

        async Task<T> OrMoveOnAsync<T>(Func<Task<T>> wait)
        {
            try
            {
                return await wait();
            }
            catch (EtcdException)
            {
                MoveOn(current);
                throw;
            }
        }
    }

    public void Dispose() => Array.ForEach(_members, m => m.Dispose());

    /// <summary>
    /// Sends, with a user's token where one is asked for; asks for a new token once when the one it has is gone.
    /// </summary>
    private async Task<T> SendAsync<T>(
        EtcdMember member, Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancellationToken)
    {
        if (_user is null)
        {
            return await SendOnceAsync(member, call, null, cancellationToken);
        }

        var token = _token ?? await AuthenticateAsync(member, cancellationToken);
        try
        {
            return await SendOnceAsync(member, call, token, cancellationToken);
        }
        catch (EtcdException e) when (e.IsTokenGone)
        {
            token = await AuthenticateAsync(member, cancellationToken);
            return await SendOnceAsync(member, call, token, cancellationToken);
        }
    }

    private async Task<string> AuthenticateAsync(EtcdMember member, CancellationToken cancellationToken)
    {
        try
        {
            var user = _user = new AuthenticateRequest { Name = _user!.Name, Password = _password?.Invoke() ?? "" };
            var reply = await SendOnceAsync(
                member, (m, options) => m.Auth.AuthenticateAsync(user, options), null, cancellationToken);
            return reply.Token.Length > 0 && reply.Token.All(c => c is > ' ' and <= '~')
                ? _token = reply.Token
                : throw new EtcdException($"{member.Name} gave no token.", notTaken: false);
        }
        catch (Exception e) when (e is EtcdException or TokenStoreUnavailableException)
        {
            // Whatever became of the log-in, the call itself was not sent.
            throw new EtcdException(
                $"The log-in of user {_user!.Name} failed: {e.Message}", notTaken: true,
                (e as EtcdException)?.Code ?? default, e);
        }
    }

    private async Task<T> SendOnceAsync<T>(
        EtcdMember member,
        Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call,
        string? token,
        CancellationToken cancellationToken)
    {
        using var sent = call(member, Options(token, cancellationToken));
        return await AnswerAsync(member, sent.ResponseAsync, cancellationToken);
    }

    private static CallOptions Options(string? token, CancellationToken cancellationToken)
    {
        // A member without a leader says so at once instead of letting the call wait, and ends a watch that would hear
        // nothing.
        var headers = new Metadata { { "hasleader", "true" } };
        if (token is not null)
        {
            headers.Add("token", token);
        }

        return new CallOptions(headers, cancellationToken: cancellationToken);
    }

    private async Task<T> AnswerAsync<T>(EtcdMember member, Task<T> answer, CancellationToken cancellationToken)
    {
        try
        {
            return await answer;
        }
        catch (RpcException e)
        {
            throw Read(member, e, cancellationToken.IsCancellationRequested);
        }
    }

    private EtcdException Read(EtcdMember member, RpcException e, bool hasEnded)
    {
        var (code, words, cause) = (e.StatusCode, e.Status.Detail, e.Status.DebugException);
        if (cause is null && words.StartsWith(Etcds, StringComparison.Ordinal))
        {
            return new EtcdException($"{member.Name} refused: {Quote(words)}", EtcdException.IsRefusal(code), code, e);
        }

        return cause switch
        {
            HttpRequestException http => new EtcdException(
                $"{member.Name} did not answer: {member.Explain(http)}",
                notTaken: IsBeforeAnythingIsSent(http.HttpRequestError), inner: e),
            IOException broken => new EtcdException(
                $"{member.Name} did not answer to the end: {member.Explain(broken)}", notTaken: false, inner: e),
            _ when hasEnded => new EtcdException($"{member.Name} did not answer in time.", notTaken: false, inner: e),
            _ => new EtcdException(
                $"{member.Name} answered with something that is not etcd's (3.4 or newer is needed): {code}, "
                    + $"{Quote(words)}", notTaken: false, inner: e),
        };
    }

    private static bool IsBeforeAnythingIsSent(HttpRequestError error) => error is HttpRequestError.ConnectionError
        or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
        or HttpRequestError.VersionNegotiationError;

    /// <summary>What may be repeated: not what it repeats of a log-in.</summary>
    private string Quote(string words)
    {
        if (_user is { Password.Length: > 0 } own && words.Contains(own.Password, StringComparison.Ordinal))
        {
            return "something with the password in it.";
        }

        var line = words.Trim().ReplaceLineEndings(" ");
        return line.Length > LongestQuote ? $"{line[..LongestQuote]}…" : line;
    }

    private void MoveOn(int from) => Interlocked.CompareExchange(ref _current, (from + 1) % _members.Length, from);
}
