using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>A registry on this machine, with one base image that has no files. The real one cannot be fetched everywhere.</summary>
internal sealed class BaseImageRegistry : IAsyncDisposable
{
    private const string ManifestType = "application/vnd.docker.distribution.manifest.v2+json";
    private const string ConfigType = "application/vnd.docker.container.image.v1+json";
    private const string LayerType = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    // As the images of .NET have it; that of a part takes its place.
    private static readonly string[] Environment = ["ASPNETCORE_HTTP_PORTS=8080"];

    private readonly WebApplication _app;

    private BaseImageRegistry(WebApplication app) => _app = app;

    /// <summary>Host and port.</summary>
    public string Address => $"localhost:{new Uri(_app.Urls.First()).Port}";

    public static async Task<BaseImageRegistry> StartAsync()
    {
        var files = EmptyArchive();
        var layer = Compressed(files);
        var config = JsonSerializer.SerializeToUtf8Bytes(new
        {
            architecture = "amd64",
            os = "linux",
            config = new { Env = Environment },
            rootfs = new { type = "layers", diff_ids = new[] { DigestOf(files) } },
        });
        var manifest = JsonSerializer.SerializeToUtf8Bytes(new
        {
            schemaVersion = 2,
            mediaType = ManifestType,
            config = new { mediaType = ConfigType, size = config.Length, digest = DigestOf(config) },
            layers = new[] { new { mediaType = LayerType, size = layer.Length, digest = DigestOf(layer) } },
        });
        var blobs = new[] { config, layer }.ToDictionary(DigestOf);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("/v2/", () => Results.Ok());
        app.MapGet("/v2/base/manifests/{tag}", () => Results.Bytes(manifest, ManifestType));
        app.MapGet("/v2/base/blobs/{digest}", (string digest) =>
            blobs.TryGetValue(digest, out var blob) ? Results.Bytes(blob) : Results.NotFound());
        await app.StartAsync();
        return new BaseImageRegistry(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static string DigestOf(byte[] octets) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(octets))}";

    private static byte[] EmptyArchive()
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, leaveOpen: true)) writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "tmp/"));
        return archive.ToArray();
    }

    private static byte[] Compressed(byte[] octets)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(octets);
        return compressed.ToArray();
    }
}
