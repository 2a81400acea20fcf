using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>FlowView in this process on a real port, since limits on requests are the server's.</summary>
internal sealed class FlowViewApp : ServiceApp<FlowViewApp, Program>
{
    public FlowViewApp() => WithServices(services => services.AddLogging(logging => logging.ClearProviders()));

    public HttpClient Start() => Listen().CreateClient();
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
