using System.Net.Http.Headers;
using System.Text.Json;

namespace WebRtcIms.Abuse.Frame;

/// <summary>An HTTP response that has been read.</summary>
internal sealed record Answer(HttpStatusCode Status, string Body, HttpResponseHeaders Headers)
{
    public int Code => (int)Status;

    public bool IsOk => Code is >= 200 and < 300;

    /// <exception cref="InvalidDataException">The body is not JSON: the attack cannot go on.</exception>
    public JsonElement Json
    {
        get
        {
            try
            {
                return JsonDocument.Parse(Body).RootElement;
            }
            catch (JsonException)
            {
                throw new InvalidDataException($"{Code}: {Start}");
            }
        }
    }

    /// <summary>The first characters, for a message.</summary>
    public string Start => Body.Length > 120 ? Body[..120] : Body;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response)
    {
        using (response) return new(response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
    }
}
