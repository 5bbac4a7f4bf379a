{# From a sum of weights to the prediction: the logistic function, or straight lines between knots. #}
{% if score_map is none %}
1e0 / (1e0 + exp(-greatest({{ -largest_score | bind }}, least({{ largest_score | bind }}, summed))))
{%- else %}
case
        when summed <= {{ score_map.knots[0] | bind }} then {{ score_map.values[0] | bind }}
        {% for piece in score_map.pieces %}
        when summed <= {{ piece.end | bind }} then {{ piece.value | bind }} + (summed - {{ piece.start | bind }}) * {{ piece.slope | bind }}
        {% endfor %}
        else {{ score_map.values[-1] | bind }}
    end
{%- endif %}
