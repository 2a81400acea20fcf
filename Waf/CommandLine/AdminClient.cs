using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebRtcIms.Waf.CommandLine;

/// <summary>Sends one request to the administration of a WAF, and prints the response or why there is none.</summary>
internal sealed class AdminClient(Uri address, string? token, bool asJson, TextWriter output, TextWriter error)
{
    private const int Refused = 1;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Returns the exit code.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">Below <c>/admin/</c>.</param>
    /// <param name="body">Null for a request without one. Members that are null are left out.</param>
    /// <param name="print">Prints a successful response for people.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public async Task<int> SendAsync(
        HttpMethod method, string path, JsonObject? body, Action<JsonElement, TextWriter> print, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = Limit };
        using var request = new HttpRequestMessage(method, new Uri(address, $"admin/{path}"));
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null) request.Content = JsonContent.Create(WithoutNulls(body));
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
                return await FailAsync($"The WAF refused ({(int)response.StatusCode}): {Detail(text) ?? response.ReasonPhrase}");
            var content = text.Length == 0 ? default : JsonElement.Parse(text);
            if (!asJson) print(content, output);
            else if (content.ValueKind != JsonValueKind.Undefined) await output.WriteLineAsync(JsonSerializer.Serialize(content, Indented));
            return 0;
        }
        catch (Exception failure) when (failure is HttpRequestException or JsonException
            || (failure is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return await FailAsync($"The WAF cannot be reached at {address}: {failure.Message} Its setting Waf:Admin:Url has the address.");
        }
    }

    private static JsonObject WithoutNulls(JsonObject body)
    {
        foreach (var (name, _) in body.Where(member => member.Value is null).ToList()) body.Remove(name);
        return body;
    }

    private static string? Detail(string text)
    {
        try
        {
            return JsonNode.Parse(text)?["detail"]?.GetValue<string>();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private async Task<int> FailAsync(string message)
    {
        await error.WriteLineAsync(message);
        return Refused;
    }
}
