using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>An image as an archive, made by the command of docs/deployment.md on another base image.</summary>
public sealed class ImageArchiveTests : IDisposable
{
    // Such as Debug, as the tests were built.
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("image-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Archive_HasTheProgramAndItsPage_ForAUserWithoutRights()
    {
        await using var registry = await BaseImageRegistry.StartAsync();
        var archive = Path.Combine(_folder.FullName, "flow-view.tar");
        var published = await Command.RunAsync(
            "dotnet",
            [
                "publish", Repository.PathOf("FlowView"), "--no-build", "-c", Configuration, "-t:PublishContainer", "-nologo",
                $"-p:PublishDir={_folder.FullName}/published/", $"-p:ContainerBaseImage={registry.Address}/base:1",
                $"-p:ContainerArchiveOutputPath={archive}", "-nodeReuse:false",
            ],
            TimeSpan.FromMinutes(2), ("DOTNET_CONTAINER_INSECURE_REGISTRIES", registry.Address));
        Assert.True(published.ExitCode == 0, published.Output);

        var files = Read(File.OpenRead(archive));
        var manifest = JsonElement.Parse(files["manifest.json"])[0];
        var config = JsonElement.Parse(files[manifest.GetProperty("Config").GetString()!]).GetProperty("config");
        Assert.Equal("1654", config.GetProperty("User").GetString());
        Assert.Equal(
            ["dotnet", "/app/WebRtcIms.FlowView.dll"], config.GetProperty("Entrypoint").EnumerateArray().Select(word => word.GetString()));
        Assert.True(config.GetProperty("ExposedPorts").TryGetProperty("4318/tcp", out _));
        Assert.Contains("ASPNETCORE_HTTP_PORTS=4318", config.GetProperty("Env").EnumerateArray().Select(word => word.GetString()));
        var layer = manifest.GetProperty("Layers").EnumerateArray().Last().GetString()!;
        var app = Read(new GZipStream(new MemoryStream(files[layer]), CompressionMode.Decompress));
        Assert.Contains("app/WebRtcIms.FlowView.dll", app.Keys);
        Assert.Contains("app/wwwroot/index.html", app.Keys);
    }

    private static Dictionary<string, byte[]> Read(Stream archive)
    {
        using var reader = new TarReader(archive);
        Dictionary<string, byte[]> files = [];
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is not { } data) continue;
            using var content = new MemoryStream();
            data.CopyTo(content);
            files[entry.Name] = content.ToArray();
        }

        return files;
    }
}
