namespace WebRtcIms.Abuse.Frame;

/// <summary>
/// What the reproductions attack: the running application, and parts of our own where a finding needs other settings, other addresses of
/// clients, or a change in a store.
/// </summary>
internal sealed class Targets(Uri gateway) : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-abuse-");
    private readonly SemaphoreSlim _starting = new(1);
    private OwnSystem? _own;
    private int _folders;

    /// <summary>The gateway of the running application.</summary>
    public Uri Gateway { get; } = gateway;

    /// <summary>A system of our own in Development. It starts with the first finding that needs it.</summary>
    public async Task<OwnSystem> OwnAsync()
    {
        await _starting.WaitAsync();
        try
        {
            return _own ??= await OwnSystem.StartAsync(NewFolder());
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>A private folder that is deleted at the end.</summary>
    public string NewFolder()
    {
        var number = Interlocked.Increment(ref _folders).ToString(CultureInfo.InvariantCulture);
        return _folder.CreateSubdirectory(number).FullName;
    }

    public async ValueTask DisposeAsync()
    {
        if (_own is not null) await _own.DisposeAsync();
        _starting.Dispose();
        _folder.Delete(recursive: true);
    }
}
