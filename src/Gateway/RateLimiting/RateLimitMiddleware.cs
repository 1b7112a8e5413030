using System.Threading.RateLimiting;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// Lets requests through as the limit of their route allows, 429 else. Stands behind the early checks of the fence, so
/// that a stale request uses no permit.
/// </summary>
internal sealed class RateLimitMiddleware(
    RequestDelegate next, ShutdownSignal shutdown, FenceRefusals refusals, RateLimitMetrics metrics,
    ILogger<RateLimitMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<RateLimit>() is { } limit
            ? LimitAsync(context, limit)
            : next(context);

    private Task LimitAsync(HttpContext context, RateLimit limit)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        var partition = limit.Partitions.Enter(context, request, out var overflow);
        if (overflow)
        {
            Overflow(limit);
        }

        var lease = partition.Limiter.AttemptAcquire();
        if (lease.IsAcquired)
        {
            metrics.Count(limit.Policy, RateLimitOutcome.Admitted);
            return AdmitAsync(context, limit, partition, lease);
        }

        return limit.Policy.QueueLimit > 0
            ? WaitAsync(context, request, limit, partition)
            : RejectAsync(context, limit, partition);
    }

    private Task AdmitAsync(HttpContext context, RateLimit limit, RateLimitPartition partition, RateLimitLease lease)
    {
        // An answer without a body starts after its permit was given back, and should not tell of it either.
        RateLimitReading? reading = limit.Policy.HoldsPermits ? partition.Read() : null;
        context.Response.OnStarting(AnswerFields.Add, new AnswerFields(context, limit, partition, reading));
        if (limit.Policy.HoldsPermits)
        {
            return HoldAsync(context, partition, lease);
        }

        partition.Exit();
        return next(context);
    }

    private async Task HoldAsync(HttpContext context, RateLimitPartition partition, RateLimitLease lease)
    {
        try
        {
            await next(context);
        }
        finally
        {
            lease.Dispose();
            partition.Exit();
        }
    }

    private async Task WaitAsync(
        HttpContext context, GatewayRequest request, RateLimit limit, RateLimitPartition partition)
    {
        RateLimitLease lease;
        using (var wait = new RequestWait(context, shutdown))
        {
            try
            {
                lease = await partition.Limiter.AcquireAsync(1, wait.Token);
            }
            catch (OperationCanceledException)
            {
                await GiveUpAsync(context, limit, partition, wait.End);
                return;
            }
        }

        if (!lease.IsAcquired)
        {
            await RejectAsync(context, limit, partition);
            return;
        }

        metrics.Count(limit.Policy, RateLimitOutcome.Queued);
        if (request.NeedsAdmission && request.Policy!.Mode == FencingMode.Enforce
            && request.Token.Value < request.Fence!.Mark)
        {
            // A later token has overtaken it meanwhile.
            lease.Dispose();
            partition.Exit();
            await refusals.RefuseAsync(context, request.Policy, FenceCheck.Stale(request.Token, request.Fence), next);
            return;
        }

        await AdmitAsync(context, limit, partition, lease);
    }

    private Task GiveUpAsync(HttpContext context, RateLimit limit, RateLimitPartition partition, WaitEnd end)
    {
        if (end == WaitEnd.TimedOut)
        {
            return RejectAsync(context, limit, partition);
        }

        partition.Exit();
        metrics.Count(
            limit.Policy, end == WaitEnd.ShuttingDown ? RateLimitOutcome.ShuttingDown : RateLimitOutcome.Abandoned);
        return RequestWait.GiveUpAsync(context, end);
    }

    private Task RejectAsync(HttpContext context, RateLimit limit, RateLimitPartition partition)
    {
        var reading = partition.Read() with { Remaining = 0 };
        partition.Exit();
        metrics.Count(limit.Policy, RateLimitOutcome.Rejected);
        context.Response.OnStarting(AnswerFields.Add, new AnswerFields(context, limit, partition, reading));
        return ProblemResponse.WriteAsync(
            context,
            ProblemType.RateLimited,
            limit.Policy.HoldsPermits
                ? $"Rate limit '{limit.Policy.Name}' lets {limit.Policy.PermitLimit} requests be in progress at once. "
                    + "This one was not forwarded."
                : $"Rate limit '{limit.Policy.Name}' lets {limit.Policy.PermitLimit} requests through in "
                    + $"{limit.Policy.Window}. This one was not forwarded.",
            reading.Next ?? ProblemResponse.Soon);
    }

    private void Overflow(RateLimit limit)
    {
        metrics.Overflowed(limit.Policy);
        if (limit.Partitions.ReportsOverflow())
        {
            logger.Overflowed(limit.Policy.Name, limit.Policy.MaxPartitions);
        }
    }

    /// <summary>
    /// Writes the fields when the answer starts: only then is known whether the service sent its own, and what is left.
    /// </summary>
    private sealed class AnswerFields(
        HttpContext context, RateLimit limit, RateLimitPartition partition, RateLimitReading? reading = null)
    {
        public static readonly Func<object, Task> Add = static state => ((AnswerFields)state).AddAsync();

        private Task AddAsync()
        {
            limit.Fields.AddTo(context.Response.Headers, reading ?? partition.Read());
            return Task.CompletedTask;
        }
    }
}
