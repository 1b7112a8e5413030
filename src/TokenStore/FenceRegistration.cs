namespace FenceGateway.TokenStore;

/// <summary>What the store may have of this gateway at one resource.</summary>
/// <param name="Session">The session it was made in; null when there is none.</param>
/// <param name="Sequence">The number of the latest step that may have made it.</param>
internal readonly record struct FenceRegistration(StoreSession? Session, long Sequence)
{
    public bool Exists => Session is not null;
}
