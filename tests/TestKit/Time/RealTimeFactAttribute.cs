using System.Runtime.CompilerServices;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace FenceGateway.TestKit;

/// <summary>
/// A fact about something short that lives by a real clock: a session of a second in a real server. Where it fails and
/// the machine stood still for longer than a step of such a test may be late, it is void and run again, a few times
/// (<see cref="Canary"/>).
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer(typeof(RealTimeFactDiscoverer))]
public sealed class RealTimeFactAttribute(
    [CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
    : FactAttribute(sourceFilePath, sourceLineNumber);

/// <summary>Found by xUnit through the attribute.</summary>
public sealed class RealTimeFactDiscoverer : FactDiscoverer
{
    protected override IXunitTestCase CreateTestCase(
        ITestFrameworkDiscoveryOptions discoveryOptions, IXunitTestMethod testMethod, IFactAttribute factAttribute)
    {
        var details = TestIntrospectionHelper.GetTestCaseDetails(discoveryOptions, testMethod, factAttribute);
        return new RealTimeTestCase(details.ResolvedTestMethod, details.TestCaseDisplayName, details.UniqueID);
    }
}

/// <summary>One that is reported once, as it ended in the round that counts.</summary>
public sealed class RealTimeTestCase : XunitTestCase, ISelfExecutingXunitTestCase
{
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(100);

    [Obsolete("For xUnit, which reads test cases back with it")]
    public RealTimeTestCase()
    {
    }

    public RealTimeTestCase(IXunitTestMethod method, string name, string id)
        : base(method, name, id, @explicit: false)
    {
    }

    public async ValueTask<RunSummary> Run(
        ExplicitOption explicitOption, IMessageBus messageBus, object?[] constructorArguments,
        ExceptionAggregator aggregator,
        CancellationTokenSource cancellationTokenSource, ParallelMode parallelMode, ExecutionScheduler scheduler,
        FixtureMappingManager methodFixtureMappings)
    {
        var (messages, summary) = (new List<IMessageSinkMessage>(), new RunSummary());
        await Canary.RunAsync(Margin, RoundAsync, TestCaseDisplayName).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing);
        messages.ForEach(message => messageBus.QueueMessage(message));
        return summary;

        async Task RoundAsync()
        {
            messages.Clear();
            using var bus = new Recorder(messages);
            summary = await XunitRunnerHelper.RunXunitTestCase(
                this, bus, cancellationTokenSource, parallelMode, scheduler, aggregator.Clone(), explicitOption,
                constructorArguments,
                methodFixtureMappings);
            if (messages.OfType<ITestFailed>().FirstOrDefault() is { } failed)
            {
                throw new InvalidOperationException(failed.Messages[0]);
            }
        }
    }

    /// <summary>Messages come from several threads.</summary>
    private sealed class Recorder(List<IMessageSinkMessage> messages) : IMessageBus
    {
        public bool QueueMessage(IMessageSinkMessage message)
        {
            lock (messages)
            {
                messages.Add(message);
            }

            return true;
        }

        public void Dispose()
        {
        }
    }
}
