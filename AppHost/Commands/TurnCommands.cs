using System.Net.Http.Json;
using System.Text.Json;

namespace WebRtcIms.AppHost;

/// <summary>Commands of the dashboard on the TURN server. They call its management endpoint.</summary>
internal static class TurnCommands
{
    public static IResourceBuilder<ProjectResource> WithTurnCommands(this IResourceBuilder<ProjectResource> turn) => turn
        .WithHttpCommand("/drain", "Drain", "http", "drain", new HttpCommandOptions
        {
            Method = HttpMethod.Post,
            Description = "Sends new clients elsewhere. Allocations that exist go on.",
            ConfirmationMessage = "New calls are refused until you resume. Drain this TURN server?",
            IconName = "ArrowExit",
            GetCommandResult = answer =>
                Result(answer, body => $"Draining: {body.GetProperty("allocations")} allocations go on, new ones are refused."),
        })
        .WithHttpCommand("/drain", "Resume", "http", "resume", new HttpCommandOptions
        {
            Method = HttpMethod.Delete,
            Description = "Takes new clients again after a drain.",
            IconName = "ArrowEnter",
            GetCommandResult = answer => Result(answer, _ => "New clients are taken again."),
        })
        .WithHttpCommand("/revocations", "Revoke all tokens", "http", "revoke-all-tokens", new HttpCommandOptions
        {
            Method = HttpMethod.Post,
            Description = "Revokes every token that was issued until now, on all TURN servers. Their allocations end.",
            ConfirmationMessage = "All relayed calls end. Pages get new tokens for new calls. Revoke all tokens?",
            IconName = "KeyReset",
            PrepareRequest = request =>
            {
                request.Request.Content = JsonContent.Create(new { all = true });
                return Task.CompletedTask;
            },
            GetCommandResult = answer => Result(answer, _ => "All tokens that were issued until now are revoked."),
        })
        .WithHttpCommand("/allocations", "Show allocations", "http", "show-allocations", new HttpCommandOptions
        {
            Method = HttpMethod.Get,
            Description = "Lists the live allocations. Clients and users are shown as hashes.",
            IconName = "TableSimple",
            GetCommandResult = answer => Result(answer, Summary, Table),
        });

    private static async Task<ExecuteCommandResult> Result(
        HttpCommandResultContext answer, Func<JsonElement, string> message, Func<JsonElement, string>? table = null)
    {
        var text = await answer.Response.Content.ReadAsStringAsync(answer.CancellationToken);
        if (!answer.Response.IsSuccessStatusCode)
            return CommandResults.Failure($"The TURN server answered {(int)answer.Response.StatusCode}: {text}");
        var body = text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
        return table is null
            ? CommandResults.Success(message(body))
            : CommandResults.Success(message(body), table(body), CommandResultFormat.Markdown, displayImmediately: true);
    }

    private static string Summary(JsonElement allocations) => allocations.GetArrayLength() switch
    {
        0 => "There are no allocations.",
        1 => "There is one allocation.",
        var count => $"There are {count} allocations.",
    };

    private static string Table(JsonElement allocations)
    {
        if (allocations.GetArrayLength() == 0) return "There are no allocations.";
        var table =
            new StringBuilder("| Relay | Transport | User | Left | To peers | To client | Dropped |\n|---|---|---|--:|--:|--:|--:|\n");
        foreach (var allocation in allocations.EnumerateArray())
        {
            table.Append(
                CultureInfo.InvariantCulture,
                $"| {string.Join(", ", allocation.GetProperty("relayed").EnumerateArray())} | {allocation.GetProperty("transport")} | " +
                $"{allocation.GetProperty("user")} ");
            table.Append(
                CultureInfo.InvariantCulture,
                $"| {allocation.GetProperty("lifetime_seconds")} s | {allocation.GetProperty("packets_to_peers")} | " +
                $"{allocation.GetProperty("packets_to_client")} | {allocation.GetProperty("drops")} |\n");
        }

        return table.ToString();
    }
}
