namespace WebRtcIms.Tests.Common;

/// <summary>A folder that ends with the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-");

    public string Path => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}
