using FenceGateway.Fencing;
using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// Marks in PostgreSQL. Every step is one call of a function of the schema, one transaction; docs/stores.md tells what the server and
/// its role need.
/// </summary>
public sealed class PostgresTokenStore : ITokenStore
{
    private readonly PostgresTokenStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PostgresStatements _sql;
    private PostgresConnections? _connections;
    private PostgresListener? _listener;
    private string? _epoch;
    private volatile string? _fault = "The token store is not open.";
    private volatile TokenStoreInfo _info = new("Postgres", SafetyGrade.BestEffort, "not connected yet");

    /// <summary>Makes the store; nothing is connected before <see cref="OpenAsync"/>.</summary>
    public PostgresTokenStore(PostgresTokenStoreOptions options, TimeProvider clock, ILogger<PostgresTokenStore> logger)
    {
        _options = options;
        _time = clock;
        _logger = logger;
        _sql = new PostgresStatements(options.KeyPrefix);
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
            var (info, epoch) = await PostgresCalls.RunAsync(
                connections.Session, _logger, connection => PrepareAsync(connection, connections.Location), cancellationToken);
            var listener = new PostgresListener(connections, _options.KeyPrefix, change => Changed?.Invoke(change), _time, _logger);
            try
            {
                await listener.StartAsync(cancellationToken);
            }
            catch
            {
                await listener.DisposeAsync();
                throw;
            }

            if (_epoch is not null && _epoch != epoch)
            {
                SqlStoreLog.DataReplaced(_logger, connections.Location);
            }

            (_info, _epoch, _listener) = (info, epoch, listener);
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
                await using var command = Command(connection, _sql.StartSession, session, timeToLive);
                await command.ExecuteNonQueryAsync();
                return timeToLive;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) => OfSessionAsync(
        async connection =>
        {
            await using var batch = connection.CreateBatch();
            batch.BatchCommands.Add(new(_sql.Prolong) { Parameters = { new() { Value = session } } });
            batch.BatchCommands.Add(new(_sql.Revoked) { Parameters = { new() { Value = session } } });
            await using var reader = await batch.ExecuteReaderAsync();
            var alive = await reader.ReadAsync();
            List<ResourceChange> revoked = [];
            await reader.NextResultAsync();
            while (await reader.ReadAsync())
            {
                revoked.Add(new ResourceChange(SqlKey.Decode(await reader.GetFieldValueAsync<byte[]>(0)), reader.GetInt64(1)));
            }

            return alive ? new Heartbeat(true, revoked) : Heartbeat.Ended;
        },
        cancellationToken);

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool quiet, CancellationToken cancellationToken)
    {
        await OfSessionAsync(
            async connection =>
            {
                await using var command = Command(connection, _sql.EndSession, session);
                return await command.ExecuteNonQueryAsync();
            },
            cancellationToken);
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
                    connection, _sql.Enter, SqlKey.Encode(request.Resource), request.Session, request.Token.Value, request.Oldest.Value,
                    request.Sequence, request.InDoubtHold);
                await using var reader = await command.ExecuteReaderAsync();
                await reader.ReadAsync();
                return new EnterReply(
                    (EnterStatus)reader.GetInt32(0), new FencingToken(reader.GetInt64(1)),
                    TimeSpan.FromMicroseconds(reader.GetInt64(2)), reader.GetBoolean(3));
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask WithdrawAsync(string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        byte[][] keys = [.. registrations.Select(registration => SqlKey.Encode(registration.Resource))];
        long[] sequences = [.. registrations.Select(registration => registration.Sequence)];
        await StepAsync(
            async connection =>
            {
                await using var command = Command(connection, _sql.Withdraw, session, keys, sequences);
                return await command.ExecuteNonQueryAsync();
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var records = await ReadAsync(_sql.Find, cancellationToken, SqlKey.Encode(resource));
        return records.Count == 0 ? null : records[0];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        var (from, until) = SqlKey.Range(query.Prefix);
        return until is null
            ? await ReadAsync(_sql.ListAll, cancellationToken, query.Before, query.Limit)
            : await ReadAsync(_sql.List, cancellationToken, query.Before, query.Limit, from, until);
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => StepAsync(
        async connection =>
        {
            await using var command = Command(connection, _sql.Count);
            return (long)(await command.ExecuteScalarAsync())!;
        },
        cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);

        // The mark and the own registration as they are now: a step that is carried out late finds others, and leaves them alone.
        var (mark, own) = await StepAsync(
            async connection =>
            {
                await using var command = Command(
                    connection, _sql.ReadMark, SqlKey.Encode(request.Resource), request.Session);
                await using var reader = await command.ExecuteReaderAsync();
                return await reader.ReadAsync() ? (reader.GetInt64(0), reader.GetInt64(1)) : (0, 0);
            },
            cancellationToken);
        return await StepAsync(
            async connection =>
            {
                await using var command = Command(
                    connection, _sql.SetMark, SqlKey.Encode(request.Resource), request.Session, request.Mark, request.InDoubtHold,
                    mark, own, request.Actor, request.Reason);
                return (bool)(await command.ExecuteScalarAsync())!;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // What there is now, and nothing else: a step that is carried out late leaves alone what came after the operator's word.
        var ended = await StepAsync(
            async connection =>
            {
                await using var command = Command(connection, _sql.Ended, SqlKey.Encode(resource));
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

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, params object[] parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var value in parameters)
        {
            command.Parameters.Add(new() { Value = value });
        }

        return command;
    }

    private PostgresConnections Connect()
    {
        try
        {
            return new PostgresConnections(_options.ConnectionString);
        }
        catch (ArgumentException e)
        {
            throw new TokenStoreUnavailableException($"The connection string of PostgreSQL is not valid: {e.Message}", e) { NotTaken = true };
        }
    }

    private async Task<(TokenStoreInfo Info, string Epoch)> PrepareAsync(NpgsqlConnection connection, string location)
    {
        var settings = await PostgresGrade.ReadAsync(connection, _options.KeyPrefix);
        if (settings.IsStandby)
        {
            throw new TokenStoreUnavailableException(
                $"{location} is a standby, which can only be read: connect to the primary (several hosts with "
                + "Target Session Attributes=primary find it).")
            {
                NotTaken = true,
            };
        }

        var epoch = await PostgresSchema.EnsureAsync(connection, _options.KeyPrefix, location, _logger);
        var (grade, reasons) = (await PostgresGrade.ReadAsync(connection, _options.KeyPrefix)).Compute();
        return (new TokenStoreInfo("Postgres", grade, $"{location}, tables {_options.KeyPrefix}_*", reasons), epoch);
    }

    private async ValueTask CloseAsync(string fault)
    {
        _fault = fault;
        if (Interlocked.Exchange(ref _listener, null) is { } listener)
        {
            await listener.DisposeAsync();
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
            await OfSessionAsync(
                async connection =>
                {
                    await using var command = Command(connection, _sql.Forget, session);
                    return await command.ExecuteNonQueryAsync();
                },
                cancellationToken);
        }
    }

    private async ValueTask WithdrawAllAsync(string session, CancellationToken cancellationToken)
    {
        while (true)
        {
            var registrations = await StepAsync(
                async connection =>
                {
                    await using var command = Command(connection, _sql.Registrations, session, Registration.MaxBatch);
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

    private async ValueTask<List<MarkRecord>> ReadAsync(string sql, CancellationToken cancellationToken, params object[] parameters) =>
        await StepAsync(
            async connection =>
            {
                await using var command = Command(connection, sql, parameters);
                await using var reader = await command.ExecuteReaderAsync();
                return await SqlRecords.ReadAsync(reader);
            },
            cancellationToken);

    private ValueTask<T> StepAsync<T>(Func<NpgsqlConnection, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(Open().Steps, _logger, call, cancellationToken);

    private ValueTask<T> OfSessionAsync<T>(Func<NpgsqlConnection, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(Open().Session, _logger, call, cancellationToken);

    private PostgresConnections Open() => Volatile.Read(ref _connections)
        ?? throw new TokenStoreUnavailableException(_fault ?? "The token store is closed.") { NotTaken = true };
}
