using System.Globalization;
using System.Text.Json.Nodes;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Admin;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>Marks and what is in flight: <c>/admin/v1/resources</c>, to look at and to change.</summary>
internal sealed class ResourceEndpoints(
    StoreClient store, FenceTable table, OperatorChanges changes, InDoubtHolds holds, TimeProvider time,
    ILogger<ResourceEndpoints> logger)
    : IAdminEndpoints
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 1000;

    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/admin/v1/resources", ListAsync);
        endpoints.MapGet("/admin/v1/resources/{**key}", ShowAsync);
        endpoints.MapPost("/admin/v1/resources/{**key}", ChangeAsync);
    }

    /// <summary>
    /// <c>GET ?prefix=…&amp;limit=…&amp;cursor=…</c>: the most recently advanced first; <c>next</c> is the next page's
    /// cursor, <c>total</c>, on the first page, how many there are in all. See <see cref="ResourceWalk"/>.
    /// </summary>
    private async Task ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        if (query.ContainsKey("key"))
        {
            await ShowAsync(context);
            return;
        }

        var cursor = query["cursor"].ToString();
        var walk = ResourceWalk.Begin;
        if (!TryReadLimit(query["limit"], out var limit)
            || (cursor.Length > 0 && !ResourceWalk.TryParse(cursor, out walk)))
        {
            await AdminJson.WriteProblemAsync(
                context, 400, "Bad Request", $"limit is 1 to {MaxLimit}, cursor is the 'next' of the page before.");
            return;
        }

        var (page, next) = await walk.ReadAsync(
            q => store.ListAsync(q, context.RequestAborted), query["prefix"].ToString(), limit);
        var body = new JsonObject
        {
            ["resources"] = new JsonArray([.. page.Select(record => (JsonNode)Describe(record))]),
            ["next"] = next?.ToString(),
        };
        if (cursor.Length == 0)
        {
            // Counting may take a store longer than a page.
            body["total"] = await store.CountAsync(context.RequestAborted);
        }

        await AdminJson.WriteAsync(context, 200, body);
    }

    /// <summary>
    /// <c>GET …/{key}</c>, slashes included and as they are or as <c>%2F</c>; or <c>GET ?key=…</c>, for any key.
    /// </summary>
    private async Task ShowAsync(HttpContext context)
    {
        if (!TryName([ReadKey(context, ""), .. context.Request.Query["key"]], out var resource))
        {
            await UnknownAsync(context);
            return;
        }

        await ShowAsync(context, resource);
    }

    /// <summary>
    /// <c>POST …/{key}/mark</c> and <c>POST …/{key}/resolve</c>, with a reason; or the key as <c>?key=…</c>, or in the
    /// body.
    /// </summary>
    public async Task ChangeAsync(HttpContext context)
    {
        if (ReadKey(context, "mark") is { } marked)
        {
            await SetMarkAsync(context, marked);
        }
        else if (ReadKey(context, "resolve") is { } resolved)
        {
            await ResolveAsync(context, resolved);
        }
        else
        {
            await UnknownAsync(context);
        }
    }

    private async Task SetMarkAsync(HttpContext context, string name)
    {
        if (await AdminChange.ReadAsync(context) is not { } change || change.Body["mark"] is not JsonValue value
            || !value.TryGetValue<long>(out var mark) || mark < 0
            || !TryName([name, .. context.Request.Query["key"], change.Resource], out var resource))
        {
            await AdminChange.AnswerBadAsync(
                context, """{ "mark": 33, "reason": "why" }, mark from 0 to 2^63-1, and name the resource once""");
            return;
        }

        var before = await store.FindAsync(resource, context.RequestAborted);
        OperatorStatus changed;
        try
        {
            // Not ended by a client that leaves: what was changed is audited. The session bounds it.
            changed = await changes.SetMarkAsync(resource, mark, LongestHold, change, CancellationToken.None);
        }
        catch (TokenStoreUnavailableException e) when (!e.NotTaken)
        {
            logger.MarkMayBeSet(change.Actor, resource.Value, before?.Mark ?? 0, mark, change.Reason, e.Message);
            await AnswerUnknownAsync(context, e);
            return;
        }

        if (changed != OperatorStatus.Done)
        {
            await AdminJson.WriteProblemAsync(context, 409, "Conflict", changed == OperatorStatus.Changing
                ? $"Another change of {resource} is under way, or was made meanwhile; look at it with GET before you "
                    + "try again."
                : $"{resource} has writes in flight or in doubt; look at it with GET and try again later.");
            return;
        }

        logger.MarkSet(change.Actor, resource.Value, before?.Mark ?? 0, mark, change.Reason);
        await ShowAsync(context, resource);
    }

    private async Task ResolveAsync(HttpContext context, string name)
    {
        if (await AdminChange.ReadAsync(context) is not { } change
            || !TryName([name, .. context.Request.Query["key"], change.Resource], out var resource))
        {
            await AdminChange.AnswerBadAsync(
                context,
                """{ "reason": "why nothing in doubt can be applied any more" }, and name the resource once""");
            return;
        }

        (int Here, int InStore) resolved;
        try
        {
            resolved = await table.ResolveAsync(resource, CancellationToken.None);
        }
        catch (TokenStoreUnavailableException e) when (!e.NotTaken)
        {
            logger.MayBeResolved(change.Actor, resource.Value, change.Reason, e.Message);
            await AnswerUnknownAsync(context, e);
            return;
        }

        if (resolved is (0, 0))
        {
            await AnswerNothingResolvedAsync(context, resource);
            return;
        }

        logger.Resolved(change.Actor, resource.Value, resolved.Here + resolved.InStore, change.Reason);
        await ShowAsync(context, resource, resolved);
    }

    /// <summary>What another gateway that lives has in doubt is known to that one alone.</summary>
    private async Task AnswerNothingResolvedAsync(HttpContext context, ResourceKey resource)
    {
        if (await store.FindAsync(resource, context.RequestAborted) is not { } record)
        {
            await UnknownAsync(context);
            return;
        }

        var elsewhere = string.Join(
            ", ",
            record.Writers.Where(w => w.EndedFor is null && w.Session != store.Current?.Id).Select(w => w.Session));
        await AdminJson.WriteProblemAsync(
            context, 409, "Conflict",
            $"Nothing was resolved: {resource} has nothing in doubt at this gateway, and no gateway that is gone has "
            + "left anything in "
            + (elsewhere.Length == 0 ? "the store." : "the store. Ask the gateways that may have something in doubt "
            + $"there: {elsewhere}."));
    }

    private static Task AnswerUnknownAsync(HttpContext context, TokenStoreUnavailableException e) =>
        AdminJson.WriteProblemAsync(
        context, 503, "Token store unavailable",
        $"{e.Message} It is not known whether the change was made: look at it with GET.");

    private async Task ShowAsync(HttpContext context, ResourceKey resource, (int Here, int InStore)? resolved = null)
    {
        if (await store.FindAsync(resource, context.RequestAborted) is { } record)
        {
            var body = Describe(record);
            if (resolved is var (here, inStore))
            {
                body["resolved"] = new JsonObject { ["here"] = here, ["inStore"] = inStore };
            }

            await AdminJson.WriteAsync(context, 200, body);
        }
        else
        {
            await UnknownAsync(context);
        }
    }

    private JsonObject Describe(MarkRecord record)
    {
        var local = table.Inspect(record.Resource);
        var inDoubt = new JsonArray();
        foreach (var (token, remaining) in local?.InDoubt ?? [])
        {
            inDoubt.Add(InDoubt(token.Value, remaining, "unanswered"));
        }

        foreach (var writer in record.Writers)
        {
            if (writer.EndedFor is { } endedFor && LongestHold - endedFor is { Ticks: > 0 } left)
            {
                inDoubt.Add(
                    InDoubt(
                        writer.Token.Value, left, store.Current is { IsEndless: false } ? "session_ended" : "crash"));
            }
        }

        return new JsonObject
        {
            ["resource"] = record.Resource.Value,
            ["mark"] = record.Mark,
            ["advancedAt"] = record.AdvancedAt.ToString("O"),
            ["inFlight"] = local?.InFlight ?? 0,
            ["inDoubt"] = inDoubt,
            ["writers"] = new JsonArray([.. record.Writers.Select(Describe)]),
        };
    }

    /// <summary>
    /// A gateway that may have writes in flight, as the store has it: this one, another one, or one that is gone.
    /// </summary>
    private JsonNode Describe(WriterRecord writer) => new JsonObject
    {
        ["session"] = writer.Session,
        ["token"] = writer.Token.Value,
        ["own"] = writer.Session == store.Current?.Id,
        ["endedAt"] = writer.EndedFor is { } endedFor ? (time.GetUtcNow() - endedFor).ToString("O") : null,
    };

    private JsonObject InDoubt(long token, TimeSpan remaining, string cause) => new()
    {
        ["token"] = token,
        ["until"] = (time.GetUtcNow() + remaining).ToString("O"),
        ["cause"] = cause,
    };

    /// <summary>
    /// How long what a gateway that is gone has left behind may be in doubt: policies that are gone have sent writes
    /// too.
    /// </summary>
    private TimeSpan LongestHold => holds.Longest;

    /// <summary>
    /// The key that stands in the path before an action; empty for none; null where it is another action.
    /// </summary>
    private static string? ReadKey(HttpContext context, string action)
    {
        var path = context.Request.RouteValues["key"] as string ?? "";
        var suffix = action.Length == 0 || path == action ? action : $"/{action}";

        // Kestrel decodes all of a path but this: an operator's client that encodes a key means its slashes.
        return path.EndsWith(suffix, StringComparison.Ordinal)
            ? path[..^suffix.Length].Replace("%2F", "/", StringComparison.OrdinalIgnoreCase)
            : null;
    }

    /// <summary>The resource that path, query and body name; false for none, and for two.</summary>
    private static bool TryName(IEnumerable<string?> names, out ResourceKey resource)
    {
        var name = names.Where(static name => !string.IsNullOrEmpty(name)).Distinct(StringComparer.Ordinal).ToArray();
        resource = default;
        return name.Length == 1 && ResourceKey.TryCreate(name[0], out resource);
    }

    private static bool TryReadLimit(string? text, out int limit)
    {
        limit = DefaultLimit;
        return string.IsNullOrEmpty(text)
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit is >= 1 and <= MaxLimit);
    }

    private static Task UnknownAsync(HttpContext context) => AdminJson.WriteProblemAsync(
        context, 404, "Not Found",
        "No token has been seen for this resource. List them with GET /admin/v1/resources?prefix=…");
}
