namespace FenceGateway.TestKit;

/// <summary>
/// A folder that takes seconds to fill: filled when it is first asked for, kept for all tests of the process, deleted
/// at its end.
/// </summary>
/// <param name="fill">Fills it; asked again after a failure.</param>
internal sealed class SharedFolder(Func<TempFolder, Task> fill)
{
    private readonly Lock _gate = new();
    private Task<TempFolder>? _filling;

    public Task<TempFolder> GetAsync()
    {
        lock (_gate)
        {
            return _filling is null or { IsFaulted: true } ? _filling = FillAsync() : _filling;
        }
    }

    private async Task<TempFolder> FillAsync()
    {
        var folder = new TempFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        await fill(folder);
        return folder;
    }
}
