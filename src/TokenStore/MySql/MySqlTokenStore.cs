using FenceGateway.Fencing;
using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using MySql.Data.MySqlClient;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// Marks in MySQL or MariaDB. Every step is one call of a procedure of the schema, one transaction and one round trip; docs/stores.md
/// tells what the server and its user need.
/// </summary>
public sealed class MySqlTokenStore : ITokenStore
{
    private readonly MySqlTokenStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MySqlStatements _sql;
    private MySqlConnections? _connections;
    private MySqlPoll? _poll;
    private string? _epoch;
    private volatile string? _fault = "The token store is not open.";
    private volatile TokenStoreInfo _info = new("MySql", SafetyGrade.BestEffort, "not connected yet");

    /// <summary>Makes the store; nothing is connected before <see cref="OpenAsync"/>.</summary>
    public MySqlTokenStore(MySqlTokenStoreOptions options, TimeProvider clock, ILogger<MySqlTokenStore> logger)
    {
        _options = options;
        _time = clock;
        _logger = logger;
        _sql = new MySqlStatements(options.KeyPrefix);
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info => _info;

    /// <inheritdoc/>
    public string? Fault => _fault;

    /// <inheritdoc/>
    public Action<ResourceChange>? Changed { get; set; }

    /// <inheritdoc/>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        await CloseAsync("The token store is being opened.");
        var connections = Connect();
        try
        {
            var (info, epoch) = await MySqlCalls.RunAsync(
                connections.Session, _logger, connection => PrepareAsync(connection, connections.Location), cancellationToken);
            var poll = new MySqlPoll(connections, _sql, change => Changed?.Invoke(change), _time, _logger);
            await poll.StartAsync(cancellationToken);
            if (_epoch is not null && _epoch != epoch)
            {
                SqlStoreLog.DataReplaced(_logger, connections.Location);
            }

            (_info, _epoch, _poll) = (info, epoch, poll);
            Volatile.Write(ref _connections, connections);
            _fault = null;
        }
        catch
        {
            await connections.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan> StartSessionAsync(string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        await ForgetLongEndedAsync(cancellationToken);
        return await OfSessionAsync(
            async connection =>
            {
                await using var command = Command(
                    connection, _sql.StartSession, ("@session", session), ("@timeToLive", Microseconds(timeToLive)));
                await command.ExecuteNonQueryAsync();
                return timeToLive;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) => OfSessionAsync(
        async connection =>
        {
            await using var command = Command(connection, _sql.Heartbeat, ("@session", session));
            await using var reader = await command.ExecuteReaderAsync();
            List<ResourceChange> revoked = [];
            while (await reader.ReadAsync())
            {
                if (await reader.IsDBNullAsync(0))
                {
                    return new Heartbeat(true, revoked);
                }

                revoked.Add(new ResourceChange(SqlKey.Decode(await reader.GetFieldValueAsync<byte[]>(0)), reader.GetInt64(1)));
            }

            return Heartbeat.Ended;
        },
        cancellationToken);

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool quiet, CancellationToken cancellationToken)
    {
        await OfSessionAsync(connection => ExecuteAsync(connection, _sql.EndSession, ("@session", session)), cancellationToken);
        if (quiet)
        {
            await WithdrawAllAsync(session, cancellationToken);
        }
    }

    /// <summary>Nothing is known without asking.</summary>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        return StepAsync(
            async connection =>
            {
                await using var command = Command(
                    connection, _sql.Enter, ("@resource", SqlKey.Encode(request.Resource)), ("@session", request.Session),
                    ("@token", request.Token.Value), ("@oldest", request.Oldest.Value), ("@sequence", request.Sequence),
                    ("@hold", Microseconds(request.InDoubtHold)));
                await using var reader = await command.ExecuteReaderAsync();
                await reader.ReadAsync();
                return new EnterReply(
                    (EnterStatus)reader.GetInt32(0), new FencingToken(reader.GetInt64(1)),
                    TimeSpan.FromMicroseconds(reader.GetInt64(2)), reader.GetInt32(3) != 0);
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask WithdrawAsync(string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        if (registrations.Count == 0)
        {
            return;
        }

        (byte[] Key, long Sequence)[] ordered =
        [
            .. registrations.Select(registration => (Key: SqlKey.Encode(registration.Resource), registration.Sequence))
                .OrderBy(registration => registration.Key, SqlKey.Order),
        ];
        (string, object)[] parameters =
        [
            ("@session", session),
            .. ordered.Select((registration, i) => ($"@r{i}", (object)registration.Key)),
            .. ordered.Select((registration, i) => ($"@s{i}", (object)registration.Sequence)),
        ];
        await StepAsync(connection => ExecuteAsync(connection, _sql.Withdraw(ordered.Length), parameters), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var records = await ReadAsync(_sql.Find, cancellationToken, ("@resource", SqlKey.Encode(resource)));
        return records.Count == 0 ? null : records[0];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        var (from, until) = SqlKey.Range(query.Prefix);
        return until is null
            ? await ReadAsync(_sql.ListAll, cancellationToken, ("@before", query.Before), ("@limit", query.Limit))
            : await ReadAsync(
                _sql.List, cancellationToken, ("@before", query.Before), ("@limit", query.Limit), ("@from", from), ("@until", until));
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        StepAsync(connection => ScalarAsync(connection, _sql.Count), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);

        // The mark and the own registration as they are now: a step that is carried out late finds others, and leaves them alone.
        var (mark, own) = await StepAsync(
            async connection =>
            {
                await using var command = Command(
                    connection, _sql.ReadMark, ("@resource", SqlKey.Encode(request.Resource)), ("@session", request.Session));
                await using var reader = await command.ExecuteReaderAsync();
                return await reader.ReadAsync() ? (reader.GetInt64(0), reader.GetInt64(1)) : (0, 0);
            },
            cancellationToken);
        return await StepAsync(
            connection => ScalarAsync(
                connection, _sql.SetMark, ("@resource", SqlKey.Encode(request.Resource)), ("@session", request.Session),
                ("@mark", request.Mark), ("@hold", Microseconds(request.InDoubtHold)), ("@read", mark), ("@own", own),
                ("@actor", request.Actor), ("@reason", request.Reason)),
            cancellationToken) != 0;
    }

    /// <inheritdoc/>
    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // What there is now, and nothing else: a step that is carried out late leaves alone what came after the operator's word.
        var ended = await StepAsync(
            async connection =>
            {
                await using var command = Command(connection, _sql.Ended, ("@resource", SqlKey.Encode(resource)));
                await using var reader = await command.ExecuteReaderAsync();
                List<(string Session, long Sequence)> found = [];
                while (await reader.ReadAsync())
                {
                    found.Add((reader.GetString(0), reader.GetInt64(1)));
                }

                return found;
            },
            cancellationToken);
        foreach (var (session, sequence) in ended)
        {
            await WithdrawAsync(session, [new Registration(resource, sequence)], cancellationToken);
        }

        return ended.Count;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => CloseAsync("The token store is closed.");

    private static long Microseconds(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond;

    private static MySqlCommand Command(MySqlConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        var command = new MySqlCommand(sql, connection);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    private static async Task<int> ExecuteAsync(MySqlConnection connection, string sql, params (string, object)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return await command.ExecuteNonQueryAsync();
    }

    private static async Task<long> ScalarAsync(MySqlConnection connection, string sql, params (string, object)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), null);
    }

    private MySqlConnections Connect()
    {
        try
        {
            return new MySqlConnections(_options.ConnectionString);
        }
        catch (ArgumentException e)
        {
            throw new TokenStoreUnavailableException($"The connection string of MySQL is not valid: {e.Message}", e) { NotTaken = true };
        }
    }

    private async Task<(TokenStoreInfo Info, string Epoch)> PrepareAsync(MySqlConnection connection, string location)
    {
        var settings = await MySqlGrade.ReadAsync(connection);
        if (settings.IsReplica)
        {
            throw new TokenStoreUnavailableException($"{location} is read_only, as replicas are: connect to the server that takes the writes.")
            {
                NotTaken = true,
            };
        }

        var epoch = await MySqlSchema.EnsureAsync(connection, _options.KeyPrefix, location, _logger);
        var (grade, reasons) = settings.Compute();
        return (new TokenStoreInfo("MySql", grade, $"{location}, tables {_options.KeyPrefix}_*", reasons), epoch);
    }

    private async ValueTask CloseAsync(string fault)
    {
        _fault = fault;
        if (Interlocked.Exchange(ref _poll, null) is { } poll)
        {
            await poll.DisposeAsync();
        }

        // Calls that are still under way keep their connections until they end; these are closed then.
        if (Interlocked.Exchange(ref _connections, null) is { } connections)
        {
            await connections.DisposeAsync();
        }
    }

    /// <summary>Sessions that nothing can depend on any more: as many go as come, and whoever only reads leaves them alone.</summary>
    private async ValueTask ForgetLongEndedAsync(CancellationToken cancellationToken)
    {
        var sessions = await OfSessionAsync(
            async connection =>
            {
                await using var command = Command(connection, _sql.LongEnded);
                await using var reader = await command.ExecuteReaderAsync();
                List<string> ended = [];
                while (await reader.ReadAsync())
                {
                    ended.Add(reader.GetString(0));
                }

                return ended;
            },
            cancellationToken);
        foreach (var session in sessions)
        {
            await WithdrawAllAsync(session, cancellationToken);
            await OfSessionAsync(connection => ExecuteAsync(connection, _sql.Forget, ("@session", session)), cancellationToken);
        }
    }

    private async ValueTask WithdrawAllAsync(string session, CancellationToken cancellationToken)
    {
        while (true)
        {
            var registrations = await StepAsync(
                async connection =>
                {
                    await using var command = Command(
                        connection, _sql.Registrations, ("@session", session), ("@limit", Registration.MaxBatch));
                    await using var reader = await command.ExecuteReaderAsync();
                    List<Registration> page = [];
                    while (await reader.ReadAsync())
                    {
                        page.Add(new Registration(SqlKey.Decode(await reader.GetFieldValueAsync<byte[]>(0)), reader.GetInt64(1)));
                    }

                    return page;
                },
                cancellationToken);
            if (registrations.Count == 0)
            {
                return;
            }

            await WithdrawAsync(session, registrations, cancellationToken);
        }
    }

    private async ValueTask<List<MarkRecord>> ReadAsync(
        string sql, CancellationToken cancellationToken, params (string, object)[] parameters) => await StepAsync(
        async connection =>
        {
            await using var command = Command(connection, sql, parameters);
            await using var reader = await command.ExecuteReaderAsync();
            return await SqlRecords.ReadAsync(reader);
        },
        cancellationToken);

    private ValueTask<T> StepAsync<T>(Func<MySqlConnection, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(Open().Steps, _logger, call, cancellationToken);

    private ValueTask<T> OfSessionAsync<T>(Func<MySqlConnection, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(Open().Session, _logger, call, cancellationToken);

    private MySqlConnections Open() => Volatile.Read(ref _connections)
        ?? throw new TokenStoreUnavailableException(_fault ?? "The token store is closed.") { NotTaken = true };
}
