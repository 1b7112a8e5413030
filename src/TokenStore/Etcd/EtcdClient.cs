using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FenceGateway.TokenStore.Tls;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Calls etcd's JSON gateway. A call goes to the member that served last; to the next one only when it certainly was not sent.
/// After any other failure the next call begins with the next member.
/// </summary>
internal sealed class EtcdClient : IDisposable
{
    /// <summary>The largest answer taken: far above a page of 1000 marks with the longest keys.</summary>
    private const int MaxReplyBytes = 16 << 20;

    /// <summary>What is repeated of an answer that is not etcd's, in characters.</summary>
    private const int LongestQuote = 160;

    /// <summary>One paused member must leave time for the next one within a call. TLS takes a round trip more, or two, and arithmetic.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TlsConnectTimeout = TimeSpan.FromSeconds(1);

    private readonly Uri[] _endpoints;
    private readonly EtcdCredentials? _credentials;
    private readonly StoreTls _tls;
    private readonly TimeSpan _connectTimeout;
    private readonly HttpClient _http;
    private readonly HttpClient _streams;
    private int _current;
    private long _calls;
    private long _failures;
    private volatile string? _token;

    public EtcdClient(EtcdTokenStoreOptions options)
    {
        _endpoints = [.. options.Endpoints.Select(e => new Uri(e))];
        _credentials = options.UserName is { Length: > 0 } user ? new EtcdCredentials(user, options.Password ?? "") : null;
        _tls = new StoreTls("TokenStore:Etcd", options.CertificateAuthority, options.ClientCertificate);
        _connectTimeout = Array.Exists(_endpoints, IsEncrypted) ? TlsConnectTimeout : ConnectTimeout;
        _http = NewHttp();
        _streams = NewHttp();
    }

    /// <summary>The endpoints, for people.</summary>
    public string Location => string.Join(',', _endpoints.Select(e => e.GetLeftPart(UriPartial.Authority)));

    /// <summary>Calls since the start that a member did not answer as it should: the next one went elsewhere.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Calls made since the start, without log-ins and streams.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Calls <paramref name="path"/>.</summary>
    /// <exception cref="EtcdException">It failed; <see cref="EtcdException.NotTaken"/> says whether that is certain.</exception>
    public async Task<TReply> CallAsync<TRequest, TReply>(
        string path,
        TRequest request,
        JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TReply> replyType,
        CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(request, requestType);
        for (var failovers = 0; ; failovers++)
        {
            var current = Volatile.Read(ref _current);
            _ = Interlocked.Increment(ref _calls);
            try
            {
                using var response = await SendAsync(
                    _http, current, path, body, HttpCompletionOption.ResponseContentRead, cancellationToken);
                return await response.Content.ReadFromJsonAsync(replyType, cancellationToken)
                    ?? throw new JsonException("The answer is null.");
            }
            catch (EtcdException e) when (e.NotTaken && e.Code == 0 && failovers + 1 < _endpoints.Length)
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
            catch (JsonException e)
            {
                MoveOn(current);
                throw new EtcdException(
                    $"{_endpoints[current].Authority} answered {path} with something that is not etcd's: {e.Message}", 0, notTaken: false, e);
            }
        }
    }

    /// <summary>Opens a streamed answer. The caller disposes of it.</summary>
    /// <exception cref="EtcdException">It failed.</exception>
    public async Task<HttpResponseMessage> OpenStreamAsync<TRequest>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(request, requestType);
        var current = Volatile.Read(ref _current);
        try
        {
            return await SendAsync(_streams, current, path, body, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (EtcdException)
        {
            MoveOn(current);
            throw;
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _streams.Dispose();
    }

    private HttpClient NewHttp() =>
        new(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectCallback = new EtcdSockets(_tls).ConnectAsync,
            ConnectTimeout = _connectTimeout,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            MaxConnectionsPerServer = 256,
        })
        {
            // The caller's token bounds a call. HTTP/2 would be answered by the gRPC server, which speaks no JSON.
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MaxReplyBytes,
            DefaultRequestVersion = HttpVersion.Version11,
        };

    /// <summary>Sends, with a user's token where one is asked for; asks for a new token once when the one it has is gone.</summary>
    private async Task<HttpResponseMessage> SendAsync(
        HttpClient http, int endpoint, string path, byte[] body, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        if (_credentials is null)
        {
            return await SendOnceAsync(http, endpoint, path, body, null, completion, cancellationToken);
        }

        var token = _token ?? await AuthenticateAsync(endpoint, cancellationToken);
        try
        {
            return await SendOnceAsync(http, endpoint, path, body, token, completion, cancellationToken);
        }
        catch (EtcdException e) when (EtcdException.IsTokenGone(e.Code, e.Message))
        {
            token = await AuthenticateAsync(endpoint, cancellationToken);
            return await SendOnceAsync(http, endpoint, path, body, token, completion, cancellationToken);
        }
    }

    private async Task<string> AuthenticateAsync(int endpoint, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(_credentials!, EtcdJson.Default.EtcdCredentials);
        try
        {
            using var response = await SendOnceAsync(
                _http, endpoint, "/v3/auth/authenticate", body, null, HttpCompletionOption.ResponseContentRead, cancellationToken);
            var reply = await response.Content.ReadFromJsonAsync(EtcdJson.Default.EtcdAuthenticated, cancellationToken);
            if (reply?.Token is not { Length: > 0 } token || !AuthenticationHeaderValue.TryParse(token, out _))
            {
                throw new JsonException("There is no token in it.");
            }

            return _token = token;
        }
        catch (EtcdException e)
        {
            // Whatever became of the log-in, the call itself was not sent.
            throw new EtcdException($"The log-in of user {_credentials!.Name} failed: {e.Message}", e.Code, notTaken: true, e);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpClient http,
        int endpoint,
        string path,
        byte[] body,
        string? token,
        HttpCompletionOption completion,
        CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_endpoints[endpoint], path));
        request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        if (token is not null)
        {
            _ = request.Headers.TryAddWithoutValidation("Authorization", token);
        }

        // A member without a leader says so at once instead of letting the call wait, and ends a watch that would hear nothing.
        request.Headers.Add("Grpc-Metadata-hasleader", "true");
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, completion, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            var notSent = e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError;
            throw new EtcdException($"{_endpoints[endpoint].Authority} did not answer: {Reason(endpoint, e)}", 0, notSent, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EtcdException(
                $"{_endpoints[endpoint].Authority} cannot be connected to within {_connectTimeout}.", 0, notTaken: true, e);
        }
        catch (OperationCanceledException e)
        {
            throw new EtcdException($"{_endpoints[endpoint].Authority} did not answer in time.", 0, notTaken: false, e);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ReadErrorAsync(response, endpoint, path, cancellationToken);
        }
    }

    private string Reason(int endpoint, HttpRequestException e) => e.InnerException is IOException && IsEncrypted(_endpoints[endpoint])
        ? _tls.Explain(e)
        : (e.InnerException ?? e).Message;

    private async Task<EtcdException> ReadErrorAsync(
        HttpResponseMessage response, int endpoint, string path, CancellationToken cancellationToken)
    {
        EtcdError? error = null;
        var words = "";
        try
        {
            words = await response.Content.ReadAsStringAsync(cancellationToken);
            error = JsonSerializer.Deserialize(words, EtcdJson.Default.EtcdError);
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or OperationCanceledException)
        {
            // The status has to do.
        }

        var from = _endpoints[endpoint].Authority;
        return error is { Code: not 0 }
            ? new EtcdException($"{from} refused: {error.Message ?? error.Error}", error.Code, EtcdException.IsRefusal(error.Code))
            : new EtcdException(
                $"{from} answered {path} with status {(int)response.StatusCode}; etcd 3.4 or newer is needed. It said: {Quote(words)}", 0, notTaken: false);
    }

    private static bool IsEncrypted(Uri endpoint) => endpoint.Scheme == Uri.UriSchemeHttps;

    /// <summary>What may be repeated: not what it repeats of a log-in.</summary>
    private string Quote(string words)
    {
        if (_credentials is { Password.Length: > 0 } own && words.Contains(own.Password, StringComparison.Ordinal))
        {
            return "something with the password in it.";
        }

        var line = words.Trim().ReplaceLineEndings(" ");
        return line.Length == 0 ? "nothing." : line.Length > LongestQuote ? $"{line[..LongestQuote]}…" : line;
    }

    private void MoveOn(int from)
    {
        _ = Interlocked.Increment(ref _failures);
        _ = Interlocked.CompareExchange(ref _current, (from + 1) % _endpoints.Length, from);
    }
}
