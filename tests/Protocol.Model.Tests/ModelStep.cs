namespace FenceGateway.Protocol.Model.Tests;

/// <summary>A state: the gateways, smallest first, with the mark and the highest token ever forwarded in the first one's upper bits.</summary>
internal readonly record struct ModelState(ulong A, ulong B, ulong C);

/// <summary>A step that was taken, and what it breaks, if anything.</summary>
internal delegate void ModelVisit(in ModelState next, int gateway, ModelStep step, int token, string? violation);

/// <summary>What can happen next, and what it mirrors in the product.</summary>
internal enum ModelStep
{
    StartSession,           // GatewaySession.StartAsync
    BeginEnter,             // ResourceFence.NextLocked, BeginEnterLocked
    Admitted,               // ITokenStore.EnterAsync: ResourceState
    Draining,               // the same; the reply tells nothing that Told does not
    Stale,                  // the same
    SessionEnded,           // the same
    AdmittedReply,          // ResourceFence.EndEnterLocked
    LateAdmitted,           // ITokenStore.EnterAsync of a request whose gateway has given up on it
    LateDraining,
    LateStale,
    LateSessionEnded,
    LateStepLost,
    GiveUpLost,             // ResourceFence.FailLocked; the request, or its reply, is lost
    GiveUpLate,             // ResourceFence.FailLocked; the request is carried out later
    NotTaken,               // ResourceFence.FailLocked with notTaken, ToldLocked with an unknown mark
    Forward,                // FenceTable.TryAdmit, ActiveWrites.Begin
    Answered,               // FenceTable.End
    TimedOut,               // FenceTable.EndInDoubt
    DoubtOver,              // the service is done with it, and ActiveWrites.Sweep
    BeginWithdraw,          // ResourceFence.TryBeginWithdrawLocked
    Withdrawn,              // ITokenStore.WithdrawAsync, ResourceFence.EndWithdrawLocked
    LateWithdrawn,
    LeaveOldSession,        // FenceRegistrations.LeaveAsync
    Forget,                 // ResourceFence.TryRetireLocked
    Told,                   // ResourceFence.ToldLocked: a notice, a heartbeat's revocation, a poll, or a reply
    LoseSession,            // GatewaySession.Lose; forwarded writes are cut off
    Crash,
    Expire,                 // the store's clock
    HoldOver,               // the store's clock
}
