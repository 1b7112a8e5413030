using System.Globalization;

namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// The protocol of several gateways, checked exhaustively within each scope (docs/protocol.md, "The model").
/// </summary>
public sealed class ProtocolModelTests(ITestOutputHelper output)
{
    /// <summary>Set to anything, it adds scopes that take minutes and gigabytes.</summary>
    private const string Full = "FENCEGATEWAY_MODEL_FULL";

    private const ModelFaults Lost = ModelFaults.LostReplies;
    private const ModelFaults Sessions = ModelFaults.LostReplies | ModelFaults.LostSessions;

    /// <summary>Gateways, tokens, steps carried out late, faults.</summary>
    public static TheoryData<int, int, int, string> Scopes()
    {
        var scopes = new TheoryData<int, int, int, string>
        {
            { 2, 3, 0, nameof(ModelFaults.All) },
            { 2, 3, 1, nameof(ModelFaults.LostReplies) },
            { 3, 3, 0, nameof(ModelFaults.LostReplies) },
        };
        if (Environment.GetEnvironmentVariable(Full) is not null)
        {
            scopes.Add(2, 2, 1, Sessions.ToString());
            scopes.Add(3, 2, 0, Sessions.ToString());
            scopes.Add(2, 3, 2, nameof(ModelFaults.LostReplies));
            scopes.Add(3, 2, 1, nameof(ModelFaults.LostReplies));
            scopes.Add(2, 2, 1, nameof(ModelFaults.All));
            scopes.Add(3, 2, 0, nameof(ModelFaults.All));
            scopes.Add(3, 3, 0, Sessions.ToString());
            scopes.Add(2, 3, 1, Sessions.ToString());
        }

        return scopes;
    }

    [Theory]
    [MemberData(nameof(Scopes))]
    public void Protocol_AllItsStates_BreakNothingAndLeaveAWayOut(
        int gateways, int tokens, int lateSteps, string faults)
    {
        var began = TimeProvider.System.GetTimestamp();
        var search = new ModelSearch(new ModelScope(gateways, tokens, lateSteps, Enum.Parse<ModelFaults>(faults)))
            .Run();
        search.Violation.ShouldBeNull(string.Join('\n', search.Trace()));
        search.FindHopeless().ShouldBeNull("from here the highest token is never admitted");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{gateways} gateways, {tokens} tokens, {lateSteps} late steps each, {faults}: {search.Count:N0} states, "
                + $"{search.Transitions:N0} transitions, {search.StoreAnswers:N0} questions to the store, "
                + $"{search.Memories:N0} memories of a gateway, "
                + $"{TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.0} s"));
    }

    /// <summary>Each with the steps of its shortest violation; their traces are in the output.</summary>
    [Theory]
    [InlineData(ModelFlaw.NoDrain, ModelFaults.None, 9)]
    [InlineData(ModelFlaw.RegistersAboveItsOldest, ModelFaults.None, 9)]
    [InlineData(ModelFlaw.WithdrawsDuringEnter, Lost, 12)]
    [InlineData(ModelFlaw.AdmitsFromTheCachedMark, ModelFaults.None, 8)]
    [InlineData(ModelFlaw.BelievesNotices, ModelFaults.None, 1)]
    [InlineData(ModelFlaw.WithdrawsBeforeTheDrain, ModelFaults.None, 12)]
    [InlineData(ModelFlaw.GoesBackAfterALostReply, Lost, 13)]
    [InlineData(ModelFlaw.EndsItsSessionTooLate, ModelFaults.None, 12)]
    [InlineData(ModelFlaw.LetsWritesGoOn, Sessions, 12)]
    [InlineData(ModelFlaw.NoInDoubtHold, ModelFaults.Crashes, 11)]
    [InlineData(ModelFlaw.WithdrawsWithoutSequence, Lost, 16)]
    [InlineData(ModelFlaw.EntersWithoutSequence, Lost, 15)]
    [InlineData(ModelFlaw.ForgetsWritesWithItsOwnToken, Lost, 23)]
    internal void Protocol_WithoutOneOfItsRules_IsBroken(ModelFlaw flaw, ModelFaults faults, int steps)
    {
        var search = new ModelSearch(new ModelScope(2, 3, LateSteps: 1, faults, flaw)).Run();
        search.Violation.ShouldNotBeNull();
        var trace = search.Trace();
        output.WriteLine($"{flaw}, {search.Count} states:\n{string.Join('\n', trace)}");
        (trace.Count - 1).ShouldBe(steps);
    }
}
