using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class EmbeddedTokenStoreConformance : TokenStoreConformance<EmbeddedTokenStore>
{
    private readonly List<TestFolder> _folders = [];

    protected override EmbeddedTokenStore CreateStore()
    {
        var folder = new TestFolder();
        _folders.Add(folder);
        return folder.Make();
    }

    protected override void CleanUp() => _folders.ForEach(f => f.Dispose());
}
