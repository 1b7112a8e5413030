using System.Diagnostics;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class SecondProcessTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task OpenAsync_FolderIsOpenAlready_NamesTheProcess()
    {
        await using var first = await _folder.OpenAsync();
        (await _folder.OpenRefusedAsync()).Message.ShouldContain($"in use by process {Environment.ProcessId}");
        await first.Enter("a", 1);
    }

    [Fact]
    public async Task OpenAsync_FolderIsHeldByAnotherProcess_RefusesUntilThatOneEnds()
    {
        // flock(1) takes the same lock as .NET does, and the shell in it writes its id as the store does.
        var path = Path.Combine(_folder.FullPath, "lock");
        using var other = Process.Start(new ProcessStartInfo("flock")
        {
            ArgumentList =
                { "--exclusive", "--no-fork", path, "sh", "-c", "echo $$ > \"$0\"; echo held; exec cat", path },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        (await other.StandardOutput.ReadLineAsync()).ShouldBe("held");
        (await _folder.OpenRefusedAsync()).Message.ShouldContain($"in use by process {other.Id}");

        other.StandardInput.Close();
        await other.WaitForExitAsync();
        await using var store = await _folder.OpenAsync();
        (await store.Enter("a", 1)).Mark.Value.ShouldBe(1);
    }

    [Fact]
    public async Task CloseAsync_Always_LetsGoOfTheFolder()
    {
        var first = await _folder.OpenAsync();
        await first.Close();
        await using var second = await _folder.OpenAsync();
        await first.DisposeAsync();
        (await second.Enter("a", 1)).Mark.Value.ShouldBe(1);
    }
}
