using System.Net;
using OpenTelemetry;
using WebRtcIms.Wwsf.Problems;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>A part of the application that a demonstration may stop.</summary>
/// <param name="Name">The name of its resource.</param>
/// <param name="State">up, down or starting.</param>
/// <param name="RestartsIn">Seconds until it is started again; null unless a demonstration stopped it.</param>
internal sealed record Part(string Name, string State, double? RestartsIn);

/// <summary>The client of the application host, which stops and starts parts.</summary>
internal sealed class PartControl(HttpClient? http)
{
    private static readonly JsonSerializerOptions SnakeCase = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    /// <summary>The parts and their states; null when the application host does not answer.</summary>
    public async Task<IReadOnlyList<Part>?> ListAsync(CancellationToken cancellationToken)
    {
        if (http is null) return [];
        using var _ = SuppressInstrumentationScope.Begin();
        try
        {
            return await http.GetFromJsonAsync<List<Part>>(new Uri("/parts", UriKind.Relative), SnakeCase, cancellationToken);
        }
        catch (Exception error) when (IsNoAnswer(error, cancellationToken))
        {
            return null;
        }
    }

    /// <summary>Stops a part for some seconds; the application host starts it again. Null when that works.</summary>
    public async Task<Problem?> BreakAsync(string name, CancellationToken cancellationToken)
    {
        if (http is null) return Problem.OfStatus(404);
        try
        {
            using var answer = await http.PostAsync(
                new Uri($"/parts/{Uri.EscapeDataString(name)}/break", UriKind.Relative), null, cancellationToken);
            return answer.StatusCode switch
            {
                HttpStatusCode.Accepted => null,
                HttpStatusCode.NotFound => Problem.OfStatus(404),
                HttpStatusCode.Conflict => Problem.PartIsDown,
                _ => Problem.StageUnavailable,
            };
        }
        catch (Exception error) when (IsNoAnswer(error, cancellationToken))
        {
            return Problem.StageUnavailable;
        }
    }

    internal static bool IsNoAnswer(Exception error, CancellationToken cancellationToken) =>
        error is HttpRequestException or JsonException
        || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested);
}
