using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace WebRtcIms.Tests.Common.Http;

/// <summary>An answer of HTTP/1.1, read from its octets.</summary>
public sealed record HttpAnswer(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Sends a request exactly as written, on a connection of its own, and reads until the server closes it. Interim answers are left out.
    /// The body of an event stream is not read.
    /// </summary>
    /// <param name="server">The address.</param>
    /// <param name="request">The octets of the request.</param>
    /// <param name="ends">Whether the client closes its side after them.</param>
    /// <returns>Status 0 if the server closes the connection without an answer.</returns>
    public static async Task<HttpAnswer> ToAsync(Uri server, byte[] request, bool ends = false)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(server.Host, server.Port, limit.Token);
        await using var stream = client.GetStream();
        var sending = SendAsync(stream, request, limit.Token);
        if (ends)
        {
            await sending;
            client.Client.Shutdown(SocketShutdown.Send);
        }

        var text = await ReadAsync(stream, limit.Token);
        await sending;
        return Parse(text);
    }

    public bool Has(string name) => Headers.ContainsKey(name);

    // The server may close a connection whose request it refuses before it has read all of it.
    private static async Task SendAsync(NetworkStream stream, byte[] request, CancellationToken cancel)
    {
        try
        {
            await stream.WriteAsync(request, cancel);
        }
        catch (IOException)
        {
        }
    }

    private static async Task<string> ReadAsync(NetworkStream stream, CancellationToken cancel)
    {
        var text = new StringBuilder();
        var buffer = new byte[16 * 1024];
        try
        {
            for (int length; (length = await stream.ReadAsync(buffer, cancel)) > 0;)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, length));
                if (text.ToString().Contains("text/event-stream", StringComparison.Ordinal)) break;
            }
        }
        catch (IOException)
        {
        }

        return text.ToString();
    }

    private static HttpAnswer Parse(string text)
    {
        while (text.StartsWith("HTTP/1.1 100 ", StringComparison.Ordinal))
            text = text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        if (!text.StartsWith("HTTP/1.", StringComparison.Ordinal)) return new(0, new Dictionary<string, string>(), text);
        var parts = text.Split("\r\n\r\n", 2);
        var lines = parts[0].Split("\r\n");
        var headers = lines.Skip(1).Select(line => line.Split(':', 2)).GroupBy(pair => pair[0], StringComparer.OrdinalIgnoreCase)
            .ToDictionary(
                pairs => pairs.Key, pairs => string.Join(", ", pairs.Select(pair => pair[1].Trim())), StringComparer.OrdinalIgnoreCase);
        var body = parts.ElementAtOrDefault(1) ?? "";
        var isChunked = headers.GetValueOrDefault("Transfer-Encoding") == "chunked";
        return new(int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), headers, isChunked ? Join(body) : body);
    }

    // RFC 9112 §7.1. Of a body that ends early, the chunks that came.
    private static string Join(string chunks)
    {
        var body = new StringBuilder();
        for (var at = 0; chunks.IndexOf("\r\n", at, StringComparison.Ordinal) is var end and >= 0;)
        {
            var length = int.Parse(chunks[at..end].Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (length == 0) break;
            body.Append(chunks.AsSpan(end + 2, Math.Min(length, chunks.Length - end - 2)));
            at = Math.Min(end + 2 + length + 2, chunks.Length);
        }

        return body.ToString();
    }
}
