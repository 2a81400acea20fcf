using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>FlowView in this process on a real port, since limits on requests are the server's.</summary>
internal sealed class FlowViewApp : WebApplicationFactory<Program>
{
    private readonly Dictionary<string, string> _settings = [];

    public FlowViewApp With(string key, string value)
    {
        _settings[key] = value;
        return this;
    }

    public HttpClient Start()
    {
        // Not UseKestrel(0): that sets the port of a server which the program may have started by then.
        UseKestrel();
        StartServer();
        return CreateClient();
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("environment", "Production");
        builder.UseSetting(WebHostDefaults.ServerUrlsKey, "http://127.0.0.1:0");
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureServices(services => services.ShareActivitySource().AddLogging(logging => logging.ClearProviders()));
    }
}

/// <summary>OTLP over HTTP, as a sender speaks it.</summary>
internal static class Sending
{
    public static Task<HttpResponseMessage> SendAsync(this HttpClient client, string path, IMessage message, bool gzip = false) =>
        client.SendAsync(path, message.ToByteArray(), gzip: gzip);

    public static Task<HttpResponseMessage> SendAsync(
        this HttpClient client, string path, byte[] octets, string type = "application/x-protobuf", bool gzip = false)
    {
        var content = new ByteArrayContent(gzip ? Pack(octets) : octets);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        if (gzip) content.Headers.ContentEncoding.Add("gzip");
        return client.PostAsync(path, content, TestContext.Current.CancellationToken);
    }

    public static async Task<JsonElement> GetJsonAsync(this HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path, TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode}");
        return JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
    }

    public static byte[] Pack(byte[] octets)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest)) gzip.Write(octets);
        return packed.ToArray();
    }

    public static string Text(this JsonElement element, params string[] path) =>
        path.Aggregate(element, (current, name) => current.GetProperty(name)) switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString()!,
            var other => other.GetRawText().ToString(CultureInfo.InvariantCulture),
        };
}
