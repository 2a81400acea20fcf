using System.Text;
using System.Text.RegularExpressions;

namespace WebRtcIms.Deploy.Tests;

/// <summary>
/// Renders a template of the chart as Helm does. The templates use only this subset of the language (docs/adr/0019-chart-and-manifests.md):
/// a value, <c>if</c> of a value, <c>else</c>, <c>end</c>, and <c>{{-</c>, which removes the white space before it.
/// </summary>
internal static partial class ChartTemplate
{
    private const string Values = ".Values.";

    /// <exception cref="FormatException">The template uses more than the subset.</exception>
    /// <exception cref="KeyNotFoundException">A value is unknown. Helm would render it as empty.</exception>
    public static string Render(string template, string releaseNamespace, IReadOnlyDictionary<string, string> values)
    {
        var text = new StringBuilder();
        // For each open block, whether the present branch is rendered.
        Stack<bool> blocks = [];
        var position = 0;
        foreach (Match action in Action().Matches(template))
        {
            Write(template[position..action.Index]);
            position = action.Index + action.Length;
            switch (action.Groups["action"].Value.Split(' '))
            {
                case ["if", var name]:
                    blocks.Push(ValueOf(name) is not ("" or "false" or "0"));
                    break;
                case ["else"]:
                    blocks.Push(!blocks.Pop());
                    break;
                case ["end"]:
                    blocks.Pop();
                    break;
                case [['.', ..] name]:
                    Write(ValueOf(name));
                    break;
                default:
                    throw new FormatException($"{action.Value} is not in the subset");
            }
        }

        Write(template[position..]);
        return blocks.Count == 0 ? text.ToString() : throw new FormatException("an 'end' is missing");

        void Write(string part)
        {
            if (!blocks.Contains(false)) text.Append(part);
        }

        string ValueOf(string name) => name == ".Release.Namespace" ? releaseNamespace
            : name.StartsWith(Values, StringComparison.Ordinal) ? values[name[Values.Length..]]
            : throw new FormatException($"{name} is not in the subset");
    }

    [GeneratedRegex(@"(\s*\{\{-\s|\{\{)\s*(?<action>[^{}]*?)\s*\}\}")]
    private static partial Regex Action();
}
