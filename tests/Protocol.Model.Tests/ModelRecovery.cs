namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// One way out of a state, of the protocol's own steps, without a further fault: messages arrive, writes end, lost
/// sessions expire, who is registered below the mark is told and withdraws; then one gateway enters with the highest
/// token.
/// </summary>
internal sealed class ModelRecovery(ModelScope scope, ModelMemories memories, ModelSteps steps)
{
    /// <summary>Longer than any way out.</summary>
    public const int MostSteps = 200;

    private ModelState? _best;
    private int _rank;

    /// <summary>Whether the highest token has been admitted somewhere.</summary>
    public bool IsAdmitted(in ModelState state)
    {
        foreach (ref readonly var gateway in steps.Read(state, out _))
        {
            if (memories[gateway.Memory].Fence.Entered == scope.Tokens)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The state after the next step; null when there is none.</summary>
    public ModelState? Next(in ModelState state)
    {
        var gateways = steps.Read(state, out var mark).ToArray();
        (_best, _rank) = (null, int.MaxValue);
        steps.Visit(state, (in ModelState next, int gateway, ModelStep step, int token, string? _) =>
        {
            var rank = Rank(gateways[gateway], mark, step, token);
            if (rank < _rank)
            {
                (_best, _rank) = (next, rank);
            }
        });
        return _best;
    }

    private int Rank(in ModelGateway gateway, byte mark, ModelStep step, int token) => step switch
    {
        >= ModelStep.LateAdmitted and <= ModelStep.LateSessionEnded or ModelStep.LateWithdrawn => 0,
        ModelStep.Answered or ModelStep.DoubtOver => 1,
        >= ModelStep.Admitted and <= ModelStep.SessionEnded or ModelStep.Withdrawn => 2,
        ModelStep.AdmittedReply => 3,
        ModelStep.Expire => 5,
        ModelStep.HoldOver => 6,
        ModelStep.StartSession => 7,
        ModelStep.Revoked => 8,
        ModelStep.BeginWithdraw when gateway.Current.Registered != 0 && gateway.Current.Registered < mark => 9,
        ModelStep.BeginEnter when token == scope.Tokens => 10,
        _ => int.MaxValue,
    };
}
