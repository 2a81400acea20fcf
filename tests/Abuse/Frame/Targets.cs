namespace WebRtcIms.Abuse.Frame;

/// <summary>
/// What the reproductions attack: the running application, and parts of our own where a finding needs other settings, other addresses of
/// clients, or a change in a store.
/// </summary>
internal sealed class Targets(Uri gateway) : IAsyncDisposable
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-abuse-");
    private readonly SemaphoreSlim _starting = new(1);
    private readonly Dictionary<string, Part> _shared = [];
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
            return _own ??= await OwnSystem.StartAsync(NewPublicFolder());
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>A part of our own that several findings use. It starts with the first of them.</summary>
    public async Task<Part> SharedAsync(string name, Func<Task<Part>> start)
    {
        await _starting.WaitAsync();
        try
        {
            return _shared.TryGetValue(name, out var part) ? part : _shared[name] = await start();
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

    // As a folder that another program has made before: everybody may read it.
    private string NewPublicFolder()
    {
        var folder = NewFolder();
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, Readable);
        return folder;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _shared.Values) await part.DisposeAsync();
        if (_own is not null) await _own.DisposeAsync();
        await Part.EndAllAsync();
        _starting.Dispose();
        _folder.Delete(recursive: true);
    }
}
