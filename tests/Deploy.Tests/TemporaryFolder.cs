namespace WebRtcIms.Deploy.Tests;

/// <summary>A folder that ends with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-deploy-");

    public string Path => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}
