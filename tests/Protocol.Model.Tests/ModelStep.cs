namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// A state: the gateways, smallest first, with the mark and the highest token ever forwarded in the first one's upper
/// bits.
/// </summary>
internal readonly record struct ModelState(ulong A, ulong B, ulong C);

/// <summary>A step that was taken, and what it breaks, if anything.</summary>
internal delegate void ModelVisit(in ModelState next, int gateway, ModelStep step, int token, string? violation);

/// <summary>What can happen next, and what of the product is executed, or stands for it.</summary>
internal enum ModelStep
{
    StartSession,           // SessionKeeper.StartAsync; GatewayFence.Leave: the withdrawal of the session before may be under way then
    BeginEnter,             // GatewayFence.Next, BeginEnter
    Admitted,               // ResourceState.Enter
    Draining,               // the same, GatewayFence.EndEnter
    Stale,                  // the same
    SessionEnded,           // the store refuses; GatewayFence.FailEnter
    AdmittedReply,          // GatewayFence.EndEnter
    LateAdmitted,           // ResourceState.Enter of a request whose gateway has given up on it
    LateDraining,
    LateStale,
    LateSessionEnded,
    LateStepLost,
    AnswerLost,             // ResourceState.Enter or Withdraw, then as GiveUpLost
    GiveUpLost,             // GatewayFence.FailEnter, EndWithdraw; the request, or "admitted", is lost
    GiveUpLate,             // the same; the request is carried out later
    NotTaken,               // GatewayFence.BeginEnter, FailEnter: the store has certainly not heard of it
    Forward,                // GatewayFence.Next; ActiveWrites.Begin
    Answered,               // ActiveWrites.End
    TimedOut,               // ActiveWrites.EndInDoubt
    DoubtOver,              // the service is done with it, and ActiveWrites.Sweep
    BeginWithdraw,          // GatewayFence.TryBeginWithdraw
    Withdrawn,              // ResourceState.Withdraw, GatewayFence.EndWithdraw
    LateWithdrawn,
    Forget,                 // GatewayFence.TryRetire
    Told,                   // GatewayFence.TakeNotice: a notice or a poll; 0: of an unknown mark
    Revoked,                // GatewayFence.Adopt, Told: a heartbeat's answer
    LoseSession,            // SessionKeeper.Lose; forwarded writes are cut off
    Crash,
    Expire,                 // the store's clock
    HoldOver,               // the store's clock
}
